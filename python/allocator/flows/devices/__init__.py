"""Devices that are sold, rented, subscribed and brought: orders, invoices, rentals, subscriptions (WD-4 to WD-18)."""

from allocator.flows.devices.deliveries import complete_order, deliver_order, take_back_delivered
from allocator.flows.devices.invoices import invoice_order, invoice_sale, issue_credit_note
from allocator.flows.devices.orders import advance_order, cancel_order, place_order
from allocator.flows.devices.own import register_devices, withdraw_devices
from allocator.flows.devices.rentals import buy_rental, end_rental, read_rental, rent_device, return_rental
from allocator.flows.devices.subscriptions import (
    act_on_device,
    add_device,
    device_actions,
    disable_service,
    enable_service,
    end_subscription,
    log_usage,
    open_subscription,
    remove_device,
    replace_device,
)

__all__ = [
    "act_on_device",
    "add_device",
    "advance_order",
    "buy_rental",
    "cancel_order",
    "complete_order",
    "deliver_order",
    "device_actions",
    "disable_service",
    "enable_service",
    "end_rental",
    "end_subscription",
    "invoice_order",
    "invoice_sale",
    "issue_credit_note",
    "log_usage",
    "open_subscription",
    "place_order",
    "read_rental",
    "register_devices",
    "remove_device",
    "rent_device",
    "replace_device",
    "return_rental",
    "take_back_delivered",
    "withdraw_devices",
]
