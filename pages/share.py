"""Pass a session on: as a link, as files; and open what others pass on."""

from tokenscope_ui.request import problems
from tokenscope_ui.runs import job_notice, runs
from tokenscope_ui.share import opening, opening_view, view
from tokenscope_ui.shell.router import route


def render() -> None:
    runs.restore()
    job_notice.show_job_notice()
    state = runs.current()
    runs.publish()
    if state.problem is not None:
        problems.box(state.problem, title="What was asked for last did not work")
    held = opening.current()
    if held is not None:
        opening_view.show_shared(held)
    else:
        view.show_share()


route(render)
