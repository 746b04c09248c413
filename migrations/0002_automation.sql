CREATE TABLE `activeflows` (
	`id` text PRIMARY KEY NOT NULL,
	`customer_id` text NOT NULL,
	`flow_id` text NOT NULL,
	`flow_name` text NOT NULL,
	`conversation_id` text NOT NULL,
	`message_id` text NOT NULL,
	`fenced` integer NOT NULL,
	`epoch` integer NOT NULL,
	`status` text NOT NULL,
	`error` text NOT NULL,
	`actions` text NOT NULL,
	`position` integer NOT NULL,
	`resume_at` integer,
	`steps` integer NOT NULL,
	`next` text NOT NULL,
	`variables` text NOT NULL,
	`executed` text NOT NULL,
	`due_ms` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer
);
--> statement-breakpoint
CREATE INDEX `activeflows_list` ON `activeflows` (`customer_id`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `activeflows_due` ON `activeflows` (`status`,`due_ms`);--> statement-breakpoint
CREATE TABLE `assistants` (
	`id` text PRIMARY KEY NOT NULL,
	`customer_id` text NOT NULL,
	`name` text NOT NULL,
	`detail` text NOT NULL,
	`webhook_url` text NOT NULL,
	`secret_sealed` text NOT NULL,
	`debounce_ms` integer NOT NULL,
	`timeout_ms` integer NOT NULL,
	`max_failures` integer NOT NULL,
	`history` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer
);
--> statement-breakpoint
CREATE INDEX `assistants_list` ON `assistants` (`customer_id`,`created_at`,`id`);--> statement-breakpoint
CREATE TABLE `flows` (
	`id` text PRIMARY KEY NOT NULL,
	`customer_id` text NOT NULL,
	`name` text NOT NULL,
	`detail` text NOT NULL,
	`fenced` integer NOT NULL,
	`actions` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer
);
--> statement-breakpoint
CREATE INDEX `flows_list` ON `flows` (`customer_id`,`created_at`,`id`);