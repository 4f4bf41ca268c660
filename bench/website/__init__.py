"""What does the public see of a ledger? A site of static files, which any web server or a folder shows.

joined_ledgers   several ledgers read as one
site_pages       what the pages show: data sets, suites, configurations
write_site       the files: pages, JSON, CSV, the feed
"""
