"""Facebook: https://developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow"""
