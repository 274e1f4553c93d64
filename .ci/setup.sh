# Shared by ./demo and ./test: system packages (as root only), the virtual environment, viewers' own code. Sourced by bash.

APT_DEMO=(python3-venv libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core)
APT_TEST=("${APT_DEMO[@]}" xvfb xauth poppler-utils chromium dicom3tools dcmtk plastimatch libegl1 libgl1 libgl1-mesa-dri libdbus-1-3
    libfontconfig1 libglib2.0-0 libx11-xcb1 libxkbcommon0 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4
    libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-render0 libxcb-shape0 libxcb-shm0
    libxcb-sync1 libxcb-xfixes0 libxcb-xinerama0 libxcb-xkb1)

# Install what is missing, as root; without root only print the line to run.
setup_apt() {
    command -v apt-get > /dev/null || return 0
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2> /dev/null | grep -q 'install ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    if [ "$(id -u)" -ne 0 ]; then
        echo "missing system packages; run: sudo apt-get install ${missing[*]}" >&2
        return 0
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
}

# Make .venv with medseg and its extras at the tested versions; skipped while nothing changed.
setup_venv() {
    local extras=$1 python wanted stamp
    python=$(command -v python3.11 || command -v python3)
    stamp=.venv/medseg-installed-${extras:-base}
    wanted=$(cat pyproject.toml constraints.txt | sha256sum)
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && return 0
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        { echo "medseg needs Python 3.11 or later" >&2; exit 1; }
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    # torch first and pinned: an open range would pull gigabytes of CUDA libraries.
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt "$(grep '^torch==' constraints.txt)"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".${extras:+[$extras]}"
    echo "$wanted" > "$stamp"
}

# Install what judges objects as viewers do (tests/viewers); skipped while its lock is the same. Without Node 18.19 or
# later, which apt brings as root, or without a registry, those tests skip and say why.
setup_viewers() {
    local folder=tests/viewers stamp=tests/viewers/node_modules/medseg-installed wanted
    command -v npm > /dev/null || setup_apt nodejs npm
    if ! command -v npm > /dev/null; then
        echo "no npm: the tests of viewers will skip" >&2
        return 0
    fi
    wanted=$(sha256sum < "$folder/package-lock.json")
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && return 0
    if (cd "$folder" && npm ci --silent > /dev/null); then
        echo "$wanted" > "$stamp"
    else
        echo "npm ci failed in $folder: the tests of viewers will skip" >&2
    fi
}
