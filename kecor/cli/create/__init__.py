"""The parts of the command ``create-data``: one data set each."""
