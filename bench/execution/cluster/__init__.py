"""Runs on a Ray cluster: started by Ray's launcher, sent to the head, followed from here, their records fetched.

- `launcher`: the file that describes the cluster
- `cluster_state`: whether it is up, starting it and tearing it down
- `head`: commands, files and streams by Ray's launcher
- `bundle`: what is sent to the head
- `requirements`: packages that the head lacks
- `jobs`: submitting, listing and stopping runs, and fetching their records
- `driver`: the run on the head
- `node_watch`: nodes that do not start or join
- `events`: what the driver writes and a follower replays
- `follow`: following a run from here
"""
