"""Identity: applications, documents, levels and limits."""
