"""The tables of a leaderboard: those that its evaluation lays out, and comparisons of its rows."""

from unlearncanvas.engine.registry import tables_of
from unlearncanvas.publish.report.command import command_of_run
from unlearncanvas.publish.report.leaderboards import Leaderboard
from unlearncanvas.results.comparisons import comparison_tables
from unlearncanvas.results.export import Table


def tables_of_group(leaderboard: Leaderboard) -> list[Table]:
    """Return the evaluation's tables of the rows of all runs."""
    return tables_of(leaderboard.merged())


def other_comparisons(leaderboard: Leaderboard) -> list[Table]:
    """Return the comparisons that are in none of the evaluation's own tables."""
    tables = tables_of_group(leaderboard) if leaderboard.group else []
    shown = [table.rows for table in tables]
    found = comparison_tables(leaderboard.merged())
    return [table for table in found if table.rows not in shown]


def commands_of(leaderboard: Leaderboard) -> list[str]:
    """Return the commands that make the rows again: one for each run."""
    commands = (command_of_run(run.results) for run in leaderboard.runs)
    return list(dict.fromkeys(command for command in commands if command))
