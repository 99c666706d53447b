"""Score one text with two models and see which of them expected which part of it."""

from tokenscope_core.jobs.generation_jobs import JobView
from tokenscope_ui.runs import following, job_notice
from tokenscope_ui.shell.router import route
from tokenscope_ui.two_models import controls, state, view

POLL_S = 0.2


def render() -> None:
    job_notice.show_job_notice()
    controls.initialise()
    controls.draw_model_choice()
    following.polled(view.show_two_models, follow, lambda: state.current().busy, POLL_S)()


def follow() -> tuple[JobView | None, JobView | None]:
    views = state.follow()
    state.publish()
    return views


route(render)
