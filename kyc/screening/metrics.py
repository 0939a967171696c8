"""What operators watch of screening."""

from prometheus_client import Counter

SCREENED = Counter("bourse_screening_people_total", "Customers screened by the workers.")
FETCHED = Counter("bourse_sanctions_fetches_total", "Looks for a newer list, by how they ended.", ["outcome"])
UNSCREENED = Counter("bourse_screening_unopened_total", "Customers passed over because what they told does not open.")
