"""What has been run? A ledger of immutable records: append-only, crash-safe, merged by copying.

Files in reading order::

    record.py            a trial's record, and the check of records that others may have written
    entries.py           a record and its predictions as one file, named by key and digest
    store.py             the few operations that a store must have, and the entries in one
    file_store.py        a store in a folder, and how a file is written whole or not at all
    url_store.py         a store at any URL of fsspec, such as s3://
    weights_files.py     weights of trials: names and reading
    index.py             the cache of all records in one file
    leases.py            which driver trains which trial
    packed_ledger.py     a ledger's entries as one file to send
    merge.py             copying what a ledger lacks of others
    ledger.py            reading and publishing records
    prediction_files.py  reading and checking predictions of other frameworks

A ledger on disk::

    results/
        entries/ab/ab12...-0123456789ab.npz   one trial each: record.json and the test predictions
        entries/ab/ab12...-0123456789ab-ba9876543210.safetensors   its weights, where a run saved them
        index.jsonl                           a cache of the records; deleting it costs only time
        leases/ab12....0                      which driver trains which trial
        rungs/                                scores at the rungs of pruning
        tmp/                                  files being written
"""
