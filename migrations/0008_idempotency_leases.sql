ALTER TABLE `idempotency_keys` ADD `holder` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `idempotency_keys` ADD `lease_ms` integer DEFAULT 0 NOT NULL;