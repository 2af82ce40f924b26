# %% A notebook has a running event loop: `await` works at the top of a cell.
from datetime import date

from perfectpay_async import PerfectPay, PerfectPayError

client = PerfectPay.from_env(deadline=10)  # the key is in the environment, not in the notebook

# %% One client serves all cells, and the kernel that opened it.
methods = await client.payment_methods.list("cus_1")
methods[0].card  # shows no secret, so that none is saved in the notebook

# %% A failure is one sentence; nothing in its traceback is secret either.
try:
    await client.payment_methods.retrieve("pm_gone")
except PerfectPayError as error:
    print(error.outcome, error.status)

# %%
[(method.card.last4, method.card.expiry.is_expired(date(2031, 1, 1))) for method in methods]

# %% At the end of the notebook.
await client.close()
