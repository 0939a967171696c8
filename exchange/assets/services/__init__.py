"""What changes assets: their networks (`networks`) and their rates (`rates`)."""
