CREATE TABLE `access_keys` (
	`id` text PRIMARY KEY NOT NULL,
	`customer_id` text NOT NULL,
	`name` text NOT NULL,
	`detail` text NOT NULL,
	`token_hash` text NOT NULL,
	`token_prefix` text NOT NULL,
	`expires_at` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `access_keys_token` ON `access_keys` (`token_hash`);--> statement-breakpoint
CREATE INDEX `access_keys_list` ON `access_keys` (`customer_id`,`created_at`,`id`);--> statement-breakpoint
CREATE TABLE `accounts` (
	`id` text PRIMARY KEY NOT NULL,
	`customer_id` text NOT NULL,
	`type` text NOT NULL,
	`name` text NOT NULL,
	`detail` text NOT NULL,
	`message_flow_id` text NOT NULL,
	`assistant_id` text NOT NULL,
	`secret_sealed` text NOT NULL,
	`token_sealed` text NOT NULL,
	`provider_data` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer
);
--> statement-breakpoint
CREATE INDEX `accounts_list` ON `accounts` (`customer_id`,`created_at`,`id`);--> statement-breakpoint
CREATE TABLE `agents` (
	`id` text PRIMARY KEY NOT NULL,
	`customer_id` text NOT NULL,
	`username` text NOT NULL,
	`name` text NOT NULL,
	`detail` text NOT NULL,
	`password_hash` text NOT NULL,
	`permission` integer NOT NULL,
	`status` text NOT NULL,
	`token_version` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `agents_username` ON `agents` (`username`);--> statement-breakpoint
CREATE INDEX `agents_list` ON `agents` (`customer_id`,`created_at`,`id`);--> statement-breakpoint
CREATE TABLE `conversations` (
	`id` text PRIMARY KEY NOT NULL,
	`customer_id` text NOT NULL,
	`account_id` text NOT NULL,
	`type` text NOT NULL,
	`lifecycle` text NOT NULL,
	`owner_id` text,
	`peer_target` text NOT NULL,
	`sequence` integer NOT NULL,
	`data` text NOT NULL,
	`active_at` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer
);
--> statement-breakpoint
CREATE INDEX `conversations_list` ON `conversations` (`customer_id`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `conversations_owner` ON `conversations` (`customer_id`,`owner_id`,`created_at`);--> statement-breakpoint
CREATE INDEX `conversations_activity` ON `conversations` (`active_at`);--> statement-breakpoint
CREATE TABLE `customers` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`detail` text NOT NULL,
	`idle_timeout_s` integer NOT NULL,
	`close_timeout_s` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer
);
--> statement-breakpoint
CREATE TABLE `events` (
	`position` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`customer_id` text NOT NULL,
	`source_id` text NOT NULL,
	`sequence` integer NOT NULL,
	`type` text NOT NULL,
	`message_id` text,
	`facts` text NOT NULL,
	`at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `events_log` ON `events` (`source_id`,`sequence`);--> statement-breakpoint
CREATE INDEX `events_feed` ON `events` (`customer_id`,`position`);--> statement-breakpoint
CREATE TABLE `idempotency_keys` (
	`customer_id` text NOT NULL,
	`key` text NOT NULL,
	`fingerprint` text NOT NULL,
	`answer_sealed` text NOT NULL,
	`expires_ms` integer NOT NULL,
	PRIMARY KEY(`customer_id`, `key`)
);
--> statement-breakpoint
CREATE TABLE `login_failures` (
	`username` text NOT NULL,
	`minute` integer NOT NULL,
	`count` integer NOT NULL,
	PRIMARY KEY(`username`, `minute`)
);
--> statement-breakpoint
CREATE TABLE `messages` (
	`conversation_id` text NOT NULL,
	`id` text NOT NULL,
	`customer_id` text NOT NULL,
	`version` integer NOT NULL,
	`data` text NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`conversation_id`, `id`)
);
--> statement-breakpoint
CREATE TABLE `sandbox_faults` (
	`account_id` text PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`remaining` integer NOT NULL,
	`retry_after_s` integer
);
--> statement-breakpoint
CREATE TABLE `sandbox_messages` (
	`id` text PRIMARY KEY NOT NULL,
	`account_id` text NOT NULL,
	`idempotency_key` text NOT NULL,
	`conversation_id` text NOT NULL,
	`message_id` text NOT NULL,
	`sender` text NOT NULL,
	`recipient` text NOT NULL,
	`text` text NOT NULL,
	`medias` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `sandbox_messages_key` ON `sandbox_messages` (`account_id`,`idempotency_key`);--> statement-breakpoint
CREATE INDEX `sandbox_messages_list` ON `sandbox_messages` (`account_id`,`created_at`,`id`);--> statement-breakpoint
CREATE TABLE `stream_tickets` (
	`hash` text PRIMARY KEY NOT NULL,
	`principal` text NOT NULL,
	`token_version` integer NOT NULL,
	`expires_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `webhook_deliveries` (
	`id` text PRIMARY KEY NOT NULL,
	`customer_id` text NOT NULL,
	`endpoint_id` text NOT NULL,
	`event_id` text NOT NULL,
	`event_type` text NOT NULL,
	`source_id` text NOT NULL,
	`sequence` integer NOT NULL,
	`status` text NOT NULL,
	`attempts` integer NOT NULL,
	`next_attempt_ms` integer NOT NULL,
	`response_status` integer,
	`response_time_ms` integer,
	`error` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `webhook_deliveries_list` ON `webhook_deliveries` (`customer_id`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `webhook_deliveries_due` ON `webhook_deliveries` (`status`,`next_attempt_ms`);--> statement-breakpoint
CREATE INDEX `webhook_deliveries_endpoint` ON `webhook_deliveries` (`endpoint_id`,`status`);--> statement-breakpoint
CREATE INDEX `webhook_deliveries_source` ON `webhook_deliveries` (`source_id`,`sequence`);--> statement-breakpoint
CREATE TABLE `webhook_endpoints` (
	`id` text PRIMARY KEY NOT NULL,
	`customer_id` text NOT NULL,
	`kind` text NOT NULL,
	`name` text NOT NULL,
	`url` text NOT NULL,
	`method` text NOT NULL,
	`dialect` text NOT NULL,
	`event_types` text NOT NULL,
	`secret_sealed` text NOT NULL,
	`previous_sealed` text,
	`previous_until` integer,
	`status` text NOT NULL,
	`disabled_reason` text NOT NULL,
	`failing_since` integer,
	`notices` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer
);
--> statement-breakpoint
CREATE INDEX `webhook_endpoints_list` ON `webhook_endpoints` (`customer_id`,`created_at`,`id`);