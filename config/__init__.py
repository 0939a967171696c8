"""Settings, entry points and the services that come embedded when none is configured."""
