"""The page that `python train.py --help` prints."""

from functools import cache

from framesweep.config.command_line import train_command
from framesweep.config.groups import describe_groups, describe_options

_PAGE = """\
Train a frame-level phone classifier, or sweep over its settings.

Examples
  {program}                             train on the demo corpus
  {program} model=wide data.context=15  choose an option, set a key
  {program} recipe=quick model=wide     a recipe, with another network
  {program} data=hw1p2 data.root=/data  train on other data
  {program} -m data.context=5,15,25 model=small,wide  a grid of runs
  {program} -m sweep=optuna hydra.sweeper.n_trials=50  a search
  {program} resume=RUN_ID               resume a stopped run

Groups and their options (group=option)

{groups}

Recipes: settings of several groups. What you type takes precedence over them.

{recipes}

Keys and their current values (key=value)

$CONFIG
Flags
  --cfg job          print the composed config and exit
  --info defaults    print the files from which it is composed
  --shell-completion install=bash    complete groups, options and keys with Tab
  --hydra-help       print the flags of Hydra

Explain a key: framesweep keys data.context
Other commands: framesweep --help

"""


def describe_help() -> str:
    """Return the page, in which Hydra replaces `$CONFIG` by the composed config."""
    groups, recipes = _describe_choices()
    return _PAGE.format(program=train_command([]), groups=groups, recipes=recipes)


@cache  # Hydra resolves the page whenever it composes a config, not only for --help
def _describe_choices() -> tuple[str, str]:
    return describe_groups(), describe_options("recipe")
