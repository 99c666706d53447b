"""Pass a session on: as a link, as files; and open what others pass on."""

from tokenscope_ui import job_notice, problems, runs
from tokenscope_ui.router import route
from tokenscope_ui.share import opening, opening_view, view


def render() -> None:
    runs.restore()
    job_notice.show()
    state = runs.current()
    runs.publish()
    if state.problem is not None:
        problems.box(state.problem, title="What was asked for last did not work")
    held = opening.current()
    if held is not None:
        opening_view.show(held)
    else:
        view.show()


route(render)
