"""``python -m study`` is the ``study`` command."""

from study.commands.main import main

main()
