"""What is to be run? A suite file to a `Suite`, its grid to trials, a trial to its key."""
