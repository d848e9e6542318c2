class Refused(Exception):
    """The command cannot be carried out as given. The text names the thing and what is allowed."""


class Failed(Exception):
    """One contestant has no figures for one piece of work. The text says why."""
