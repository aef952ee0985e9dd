"""From raw grocery transactions to a promotion-targeting decision that can be defended."""

__version__ = "0.1.0"
__all__ = ["__version__"]
