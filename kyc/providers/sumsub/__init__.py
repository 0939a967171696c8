"""Sumsub: applicants, documents, checks and webhooks, as its public documentation describes them.

Read: docs.sumsub.com/reference/{authentication, create-applicant, change-provided-info-fixedinfo, get-applicant-data,
add-id-documents, request-applicant-check, get-applicant-review-status, error-codes-description} and
docs.sumsub.com/docs/{webhook-manager, user-verification-webhooks, receive-and-interpret-results-via-api, applicant-statuses}.
"""
