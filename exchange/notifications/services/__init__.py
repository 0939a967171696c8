"""Tells people. `inbox` writes lines, `planning` writes down what has to leave the house, `sending` sends it; `devices`,
`phones` and `preferences` keep where and what; `announcements` tells everybody."""
