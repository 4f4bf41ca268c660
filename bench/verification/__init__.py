"""May an entry of somebody else be believed? What its file, its numbers and its configuration tell; NumPy only.

check_entry      the checks of one entry: checksum, key, labels, metrics, protocol
submissions      the entries of files, folders and packs; copies among them and of a ledger's
statuses         the file of what was verified, and the word for it in a table
"""
