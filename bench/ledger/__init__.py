"""What has been run? A ledger of immutable records: append-only, crash-safe, merged by copying.

Files in reading order::

    record.py            a trial's record, and the check of records that others may have written
    entries.py           a record and its predictions as one file, named by key and digest
    store.py             what a store of entries, index and leases must do; the index; lease owners
    files.py             a ledger's folder: names, atomic writes, listing
    file_store.py        a store in a folder
    url_store.py         a store at any URL of fsspec, such as s3://
    address.py           from a path or URL to its store
    packed_ledger.py     a ledger's entries as one file to send
    ledger.py            reading, publishing and merging records
    leases.py            which driver trains which trial
    external.py          imported predictions of other frameworks as records
    prediction_files.py  reading and checking the files that these come from


A ledger on disk::

    results/
        entries/ab/ab12...-0123456789ab.npz   one trial each: record.json and the test predictions
        index.jsonl                           a cache of the records; deleting it costs only time
        leases/ab12...                        which driver trains which trial
        rungs/                                scores at the rungs of pruning
        tmp/                                  files being written
"""
