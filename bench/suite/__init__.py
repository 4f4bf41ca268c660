"""What is to be run? A suite file to a `Suite`, its grid to trials, a trial to its key.

suite              a file to a `Suite`: its configurations and its settings
find_suite         which file is meant: a path, or a suite that comes with the package
yaml_loader        YAML with the line of every value, and its mistakes
schema, json_schema
                   what a suite file may hold, in pydantic and for editors
validation         what is wrong with plain data, in people's words; values that exclude each other
axis_values, expand, expand_file
                   what an axis stands for; grids, draws and combinations become one exact list; all of a file, with
                   defaults, options and `exclude`
search_space       what a search draws, and where a configuration stands in it
python_values      a suite given as Python values
select             which configurations a selection means, and which of them published results name
comparable         which configurations may be compared
trial              typed configurations, trials, keys
labels             short names of configurations
"""
