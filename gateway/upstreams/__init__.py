"""Provider dialects: pure translation between a call and one provider's wire format. One file each, one table."""
