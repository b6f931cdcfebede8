# Functions that rules and the Snakefile call. They lie in rules/common/: what one file of rules needs under that file's
# name, what several need in `names`, `code`, `targets` and `footnotes`, what comes before all rules in `start`.
#
# Functions named `..._spec` return the settings that shape a rule's result, and no others, as one sorted JSON string.

for subject in (
    "start names code targets footnotes "
    "data train attack trust measure figures claims judges sensitivity speed run_time report hooks"
).split():

    include: f"common/{subject}.smk"
