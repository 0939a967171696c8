"""The API's root: its addresses, its one error shape, its limits, its documentation."""
