"""Against what a user would pick instead. ``python -m benchmarks.peers.SCRIPT FOLDER`` from the checkout's root.

FOLDER keeps the peers' own environments (`environments.py` makes what is missing there; nothing of theirs enters the
package's; PyTorch under Ray Tune runs in bench's, so that both have the same versions) and the images in the form
each peer reads. `theirs/` is what the peers run, each file whole in itself and written as the peer's own tutorials
write it; `timing.py` runs both sides in turn, never at the same time.
"""
