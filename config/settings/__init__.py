"""Settings by where the code runs: base is shared; dev, test, engine, signer and prod are what DJANGO_SETTINGS_MODULE names."""
