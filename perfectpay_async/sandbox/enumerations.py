"""The values that the API knows, written down from its contract."""

from __future__ import annotations

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NETWORKS: Final = _words(
    "Visa Mastercard AmericanExpress JCB DinersClub Discover CartesBancaires UnionPay Interac "
    "RuPay Maestro Star Pulse Accel Nyce"
)
NETWORK_ALIASES: Final = frozenset(network.upper() for network in NETWORKS) | {"AMEX"}

ISSUER_CODES: Final = _words(
    "jp_hdfc jp_icici jp_googlepay jp_applepay jp_phonepay jp_wechat jp_sofort jp_giropay jp_sepa "
    "jp_bacs"
)

DOCUMENT_TYPES: Final = _words("cpf cnpj psn other")

TYPES_OF: Final[dict[str, frozenset[str]]] = {
    method: _words(types)
    for method, types in {
        "card": "credit debit",
        "card_redirect": "knet benefit momo_atm card_redirect",
        "pay_later": (
            "affirm alma afterpay_clearpay klarna pay_bright atome walley breadpay flexiti "
            "payjustnow"
        ),
        "wallet": (
            "amazon_pay bluecode paysera skrill apple_pay google_pay paypal ali_pay ali_pay_hk "
            "dana mb_way mobile_pay samsung_pay twint vipps touch_n_go swish we_chat_pay go_pay "
            "gcash momo kakao_pay cashapp mifinity paze revolut_pay"
        ),
        "crypto": "crypto_currency",
        "bank_debit": "ach eft_debit_order sepa sepa_guarenteed_debit bacs becs",
        "reward": "evoucher classic",
        "real_time_payment": "fps duit_now prompt_pay viet_qr qris",
        "upi": "upi_collect upi_intent upi_qr",
        "gift_card": "givex pay_safe_card",
        "open_banking": "open_banking_pis",
        "mobile_payment": "direct_carrier_billing",
        "network_token": "network_token",
    }.items()
}
"""Which `payment_method_type` fits which `payment_method`, where the contract says so."""

PAYMENT_METHODS: Final = frozenset(TYPES_OF) | {"bank_redirect", "bank_transfer", "voucher"}

PAYMENT_METHOD_TYPES: Final = frozenset[str]().union(*TYPES_OF.values()) | _words(
    "alfamart bancontact_card bizum blik boleto bca_bank_transfer bni_va bri_va bhn_card_network "
    "cimb_va danamon_va efecty eft eps giropay ideal interac indomaret local_bank_redirect "
    "mandiri_va multibanco online_banking_thailand online_banking_czech_republic "
    "online_banking_finland online_banking_fpx online_banking_poland online_banking_slovakia oxxo "
    "pago_efectivo permata_bank_transfer open_banking_uk pix pix_key pix_emv pix_qr "
    "pix_automatico_qr pix_automatico_push przelewy24 pse red_compra red_pagos sepa_bank_transfer "
    "sofort trustly venmo seven_eleven lawson mini_stop family_mart seicomart pay_easy "
    "local_bank_transfer instant_bank_transfer instant_bank_transfer_finland "
    "instant_bank_transfer_poland indonesian_bank_transfer open_banking"
)
