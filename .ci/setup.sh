# Shared by ./demo and ./test: system packages (as root only) and the virtual environment. Sourced by bash.

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
