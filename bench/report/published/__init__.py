"""Published results next to what was measured (`bench published`).

`published_runs`
    Which records belong to which configuration, and their validation curves.
`published_noise`
    How far a measured and a published value may differ by chance.
`match_published`
    A row for each published result that a suite repeats.
`published_text`
    The page as Markdown and as JSON.
"""
