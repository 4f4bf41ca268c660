"""Is one configuration, or one ledger, worse than another? Does a trial reproduce its record?

`find_configuration`
    The configuration that a key, a label, a pattern or AXIS=VALUE names.
`match_ledgers`
    The configurations that two ledgers share, or the best one of each.
`non_inferiority`
    The tests: NEW against BASE on the same test images.
`compare_text`
    The result as text and as JSON.
`reproduction`
    A trial that was run again, against its record.
"""
