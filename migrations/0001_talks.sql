CREATE TABLE `talk_messages` (
	`talk_id` text NOT NULL,
	`id` text NOT NULL,
	`customer_id` text NOT NULL,
	`version` integer NOT NULL,
	`sequence` integer NOT NULL,
	`owner_id` text,
	`deleted` integer NOT NULL,
	`data` text NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`talk_id`, `id`)
);
--> statement-breakpoint
CREATE INDEX `talk_messages_unread` ON `talk_messages` (`talk_id`,`sequence`);--> statement-breakpoint
CREATE INDEX `talk_messages_list` ON `talk_messages` (`talk_id`,`created_at`,`id`);--> statement-breakpoint
CREATE TABLE `talk_participants` (
	`talk_id` text NOT NULL,
	`agent_id` text NOT NULL,
	`read_sequence` integer NOT NULL,
	PRIMARY KEY(`talk_id`, `agent_id`)
);
--> statement-breakpoint
CREATE INDEX `talk_participants_agent` ON `talk_participants` (`agent_id`,`talk_id`);--> statement-breakpoint
CREATE TABLE `talks` (
	`id` text PRIMARY KEY NOT NULL,
	`customer_id` text NOT NULL,
	`type` text NOT NULL,
	`sequence` integer NOT NULL,
	`data` text NOT NULL,
	`active_at` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer
);
--> statement-breakpoint
CREATE INDEX `talks_channels` ON `talks` (`customer_id`,`type`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `talks_activity` ON `talks` (`active_at`);