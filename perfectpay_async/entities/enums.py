"""Open enumerations: the values known today, and room for those that the server adds."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class OpenEnum(StrEnum):
    """An enumeration of strings that accepts any string.

    A value that this version does not know becomes a member of its own: it equals the string, says
    so in `is_known`, and goes back to the server as it came.

    Examples:
        >>> PaymentMethodKind("card") is PaymentMethodKind.CARD
        True
        >>> kind = PaymentMethodKind("barter")
        >>> kind == "barter", kind.is_known
        (True, False)
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        # Not remembered: a server, or whoever answers in its place, could fill the memory.
        member = str.__new__(cls, value)
        member._name_ = "UNKNOWN"
        member._value_ = value
        return member

    @property
    def is_known(self) -> bool:
        """Whether this version of the library knows the value."""
        return self.name in type(self).__members__

    def __reduce_ex__(self, proto: object) -> tuple[type[Self], tuple[str]]:
        return (type(self), (self.value,))


class PaymentMethodKind(OpenEnum):
    """What a payment method is: the wire's `payment_method`."""

    CARD = "card"
    CARD_REDIRECT = "card_redirect"
    PAY_LATER = "pay_later"
    WALLET = "wallet"
    BANK_REDIRECT = "bank_redirect"
    BANK_TRANSFER = "bank_transfer"
    CRYPTO = "crypto"
    BANK_DEBIT = "bank_debit"
    REWARD = "reward"
    REAL_TIME_PAYMENT = "real_time_payment"
    UPI = "upi"
    VOUCHER = "voucher"
    GIFT_CARD = "gift_card"
    OPEN_BANKING = "open_banking"
    MOBILE_PAYMENT = "mobile_payment"
    NETWORK_TOKEN = "network_token"  # noqa: S105 - a kind of payment method, not a password


class PaymentMethodType(OpenEnum):
    """Which one of its kind it is. Which types fit which kind is for the server to say."""

    ACH = "ach"
    AFFIRM = "affirm"
    AFTERPAY_CLEARPAY = "afterpay_clearpay"
    ALFAMART = "alfamart"
    ALI_PAY = "ali_pay"
    ALI_PAY_HK = "ali_pay_hk"
    ALMA = "alma"
    AMAZON_PAY = "amazon_pay"
    PAYSERA = "paysera"
    APPLE_PAY = "apple_pay"
    ATOME = "atome"
    BACS = "bacs"
    BANCONTACT_CARD = "bancontact_card"
    BECS = "becs"
    BENEFIT = "benefit"
    BIZUM = "bizum"
    BLIK = "blik"
    BLUECODE = "bluecode"
    BOLETO = "boleto"
    BCA_BANK_TRANSFER = "bca_bank_transfer"
    BNI_VA = "bni_va"
    BREADPAY = "breadpay"
    BRI_VA = "bri_va"
    BHN_CARD_NETWORK = "bhn_card_network"
    CARD_REDIRECT = "card_redirect"
    CIMB_VA = "cimb_va"
    CLASSIC = "classic"
    CREDIT = "credit"
    CRYPTO_CURRENCY = "crypto_currency"
    CASHAPP = "cashapp"
    DANA = "dana"
    DANAMON_VA = "danamon_va"
    DEBIT = "debit"
    DUIT_NOW = "duit_now"
    EFECTY = "efecty"
    EFT = "eft"
    EFT_DEBIT_ORDER = "eft_debit_order"
    EPS = "eps"
    FLEXITI = "flexiti"
    FPS = "fps"
    EVOUCHER = "evoucher"
    GIROPAY = "giropay"
    GIVEX = "givex"
    GOOGLE_PAY = "google_pay"
    GO_PAY = "go_pay"
    GCASH = "gcash"
    IDEAL = "ideal"
    INTERAC = "interac"
    INDOMARET = "indomaret"
    KLARNA = "klarna"
    KAKAO_PAY = "kakao_pay"
    LOCAL_BANK_REDIRECT = "local_bank_redirect"
    MANDIRI_VA = "mandiri_va"
    KNET = "knet"
    MB_WAY = "mb_way"
    MOBILE_PAY = "mobile_pay"
    MOMO = "momo"
    MOMO_ATM = "momo_atm"
    MULTIBANCO = "multibanco"
    ONLINE_BANKING_THAILAND = "online_banking_thailand"
    ONLINE_BANKING_CZECH_REPUBLIC = "online_banking_czech_republic"
    ONLINE_BANKING_FINLAND = "online_banking_finland"
    ONLINE_BANKING_FPX = "online_banking_fpx"
    ONLINE_BANKING_POLAND = "online_banking_poland"
    ONLINE_BANKING_SLOVAKIA = "online_banking_slovakia"
    OXXO = "oxxo"
    PAGO_EFECTIVO = "pago_efectivo"
    PERMATA_BANK_TRANSFER = "permata_bank_transfer"
    OPEN_BANKING_UK = "open_banking_uk"
    PAY_BRIGHT = "pay_bright"
    PAYJUSTNOW = "payjustnow"
    PAYPAL = "paypal"
    PAZE = "paze"
    PIX = "pix"
    PIX_KEY = "pix_key"
    PIX_EMV = "pix_emv"
    PIX_QR = "pix_qr"
    PIX_AUTOMATICO_QR = "pix_automatico_qr"
    PIX_AUTOMATICO_PUSH = "pix_automatico_push"
    PAY_SAFE_CARD = "pay_safe_card"
    PRZELEWY24 = "przelewy24"
    PROMPT_PAY = "prompt_pay"
    PSE = "pse"
    QRIS = "qris"
    RED_COMPRA = "red_compra"
    RED_PAGOS = "red_pagos"
    SAMSUNG_PAY = "samsung_pay"
    SEPA = "sepa"
    SEPA_BANK_TRANSFER = "sepa_bank_transfer"
    SEPA_GUARENTEED_DEBIT = "sepa_guarenteed_debit"  # spelt as the server spells it
    SKRILL = "skrill"
    SOFORT = "sofort"
    SWISH = "swish"
    TOUCH_N_GO = "touch_n_go"
    TRUSTLY = "trustly"
    TWINT = "twint"
    UPI_COLLECT = "upi_collect"
    UPI_INTENT = "upi_intent"
    UPI_QR = "upi_qr"
    VIPPS = "vipps"
    VIET_QR = "viet_qr"
    VENMO = "venmo"
    WALLEY = "walley"
    WE_CHAT_PAY = "we_chat_pay"
    SEVEN_ELEVEN = "seven_eleven"
    LAWSON = "lawson"
    MINI_STOP = "mini_stop"
    FAMILY_MART = "family_mart"
    SEICOMART = "seicomart"
    PAY_EASY = "pay_easy"
    LOCAL_BANK_TRANSFER = "local_bank_transfer"
    MIFINITY = "mifinity"
    OPEN_BANKING_PIS = "open_banking_pis"
    DIRECT_CARRIER_BILLING = "direct_carrier_billing"
    INSTANT_BANK_TRANSFER = "instant_bank_transfer"
    INSTANT_BANK_TRANSFER_FINLAND = "instant_bank_transfer_finland"
    INSTANT_BANK_TRANSFER_POLAND = "instant_bank_transfer_poland"
    REVOLUT_PAY = "revolut_pay"
    INDONESIAN_BANK_TRANSFER = "indonesian_bank_transfer"
    OPEN_BANKING = "open_banking"
    NETWORK_TOKEN = "network_token"  # noqa: S105 - a kind of payment method, not a password


class CardNetwork(OpenEnum):
    """The network of a card. The server wants this spelling, and does not always answer with it."""

    VISA = "Visa"
    MASTERCARD = "Mastercard"
    AMERICAN_EXPRESS = "AmericanExpress"
    JCB = "JCB"
    DINERS_CLUB = "DinersClub"
    DISCOVER = "Discover"
    CARTES_BANCAIRES = "CartesBancaires"
    UNION_PAY = "UnionPay"
    INTERAC = "Interac"
    RU_PAY = "RuPay"
    MAESTRO = "Maestro"
    STAR = "Star"
    PULSE = "Pulse"
    ACCEL = "Accel"
    NYCE = "Nyce"


class PaymentExperience(OpenEnum):
    """A way in which a payment can go on."""

    REDIRECT_TO_URL = "redirect_to_url"
    INVOKE_SDK_CLIENT = "invoke_sdk_client"
    DISPLAY_QR_CODE = "display_qr_code"
    ONE_CLICK = "one_click"
    LINK_WALLET = "link_wallet"
    INVOKE_PAYMENT_APP = "invoke_payment_app"
    DISPLAY_WAIT_SCREEN = "display_wait_screen"
    COLLECT_OTP = "collect_otp"


class PaymentMethodIssuerCode(OpenEnum):
    """The code of an issuer."""

    JP_HDFC = "jp_hdfc"
    JP_ICICI = "jp_icici"
    JP_GOOGLEPAY = "jp_googlepay"
    JP_APPLEPAY = "jp_applepay"
    JP_PHONEPAY = "jp_phonepay"
    JP_WECHAT = "jp_wechat"
    JP_SOFORT = "jp_sofort"
    JP_GIROPAY = "jp_giropay"
    JP_SEPA = "jp_sepa"
    JP_BACS = "jp_bacs"


class BankType(OpenEnum):
    """What a bank account is for."""

    CHECKING = "checking"
    SAVINGS = "savings"


class BankHolderType(OpenEnum):
    """Who holds a bank account."""

    PERSONAL = "personal"
    BUSINESS = "business"


class DocumentType(OpenEnum):
    """What kind of document identifies a customer."""

    CPF = "cpf"
    CNPJ = "cnpj"
    PSN = "psn"
    OTHER = "other"


class SurchargeKind(OpenEnum):
    """How a surcharge is reckoned."""

    FIXED = "fixed"
    RATE = "rate"
