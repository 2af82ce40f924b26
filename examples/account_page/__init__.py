"""An account page: a customer's saved payment methods, and the choice of one at the checkout.

`python -m examples.account_page` runs it on a sandbox. To copy it, read docs/account-page.md first.

- `methods`: what a customer may do with the saved methods. Knows no web framework.
- `changes`: one change, and how it went. Knows no web framework either.
- `cards`: how a method is called, and whether its card has expired. Pure.
- `forms`: what the customer sent, checked. Pure.
- `words`: every sentence that says how something went. Pure.
- `html` and `pages`: the pages. Pure.
- `guard`: the token of the forms, and the headers. Pure.
- `sign_in`: stands in for your sign-in.
- `state`, `views`, `middlewares` and `app`: all of it as an application of `aiohttp.web`.
- `__main__`: runs it on a sandbox.
"""
