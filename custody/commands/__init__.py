"""What `manage.py custody` does, a module a subject. Each runs where the keys are, under the signer's settings alone."""
