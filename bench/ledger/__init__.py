"""What has been run? A folder of immutable records: append-only, crash-safe, merged by copying.

A ledger on disk::

    results/
        entries/ab/ab12...-0123456789ab.npz   one trial each: record.json and the test predictions
        index.jsonl                           a cache of the records; deleting it costs only time
        claims/ab12...                        which driver is at work on which key
        tmp/                                  files being written
"""
