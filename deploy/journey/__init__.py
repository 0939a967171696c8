"""The main job, once, against real nodes: a customer signs up, deposits, trades and withdraws, and the books are checked.

It meets the exchange as its users do: through the site's own forms, its REST API and the mail it sends. What must never happen
here: a look into the database in place of what a user could see (the last step, the check of the books, says that it looks).
"""
