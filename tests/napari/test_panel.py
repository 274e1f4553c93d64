"""The one dock: its tabs, and the room it leaves for the picture."""

from typing import Any

import pytest

pytest.importorskip("napari")

from napari_medseg._qt.panel import TABS

pytestmark = pytest.mark.gui


@pytest.fixture
def clean_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where docks were in another window is forgotten."""
    from napari.settings import get_settings

    monkeypatch.setattr(get_settings().application, "plugin_widget_positions", {})


def docked(screen: Any) -> Any:
    return screen.viewer.window.add_plugin_dock_widget("medseg", "medseg")[1]


def test_its_tabs_are_those_of_the_table_and_can_be_heard(screen: Any) -> None:
    panel = docked(screen)
    assert [panel.tabText(at) for at in range(panel.count())] == [tab.title for tab in TABS]
    for at, tab in enumerate(TABS):
        assert panel.tabToolTip(at) == f"{tab.tip} (Alt+{at + 1})"
        assert panel.tab(tab.title).accessibleName() == tab.title
        assert panel.currentIndex() == at


@pytest.mark.parametrize(("size", "docked_left"), [((1280, 800), True), ((1600, 1000), False)])
@pytest.mark.parametrize("first", ["window", "panel"])
def test_the_canvas_keeps_700_pixels(
    screen: Any, qtbot: Any, clean_settings: None, size: tuple[int, int], docked_left: bool, first: str
) -> None:
    window = screen.viewer.window
    if first == "window":
        window.resize(*size)
        qtbot.wait(100)
    panel = docked(screen)
    if first == "panel":
        window.resize(1600, 1000)
        qtbot.wait(100)
        window.resize(*size)
    qtbot.wait(300)
    main = panel.window()
    # On a busy machine docks settle later.
    qtbot.waitUntil(lambda: panel.isVisible() and (main.width(), main.height()) == size, timeout=10_000)
    qtbot.waitUntil(lambda: main.centralWidget().width() >= 700, timeout=10_000)
    assert panel.height() > 400
    assert panel.width() >= 320
    assert (panel.mapTo(main, panel.rect().topLeft()).x() < 100) is docked_left


def test_it_scrolls_where_a_tab_wants_more_than_there_is(screen: Any, qtbot: Any) -> None:
    screen.viewer.window.resize(1280, 800)
    panel = docked(screen)
    qtbot.wait(200)
    for tab in TABS:
        area = panel.tab(tab.title).parent().parent()
        assert area.width() <= panel.width()
        assert area.height() <= panel.height()
