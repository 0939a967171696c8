"""Sign in with Apple: https://developer.apple.com/documentation/signinwithapplerestapi"""
