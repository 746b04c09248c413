CREATE TABLE `media_uses` (
	`media_id` text NOT NULL,
	`conversation_id` text NOT NULL,
	PRIMARY KEY(`media_id`, `conversation_id`)
);
--> statement-breakpoint
CREATE INDEX `media_uses_conversation` ON `media_uses` (`conversation_id`);--> statement-breakpoint
CREATE TABLE `contact_merges` (
	`id` text PRIMARY KEY NOT NULL,
	`customer_id` text NOT NULL,
	`winner_id` text NOT NULL,
	`loser_id` text NOT NULL,
	`journal` text NOT NULL,
	`created_at` integer NOT NULL,
	`undone_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `contact_merges_standing` ON `contact_merges` (`loser_id`) WHERE undone_at IS NULL;--> statement-breakpoint
CREATE INDEX `contact_merges_list` ON `contact_merges` (`customer_id`,`created_at`,`id`);--> statement-breakpoint
CREATE TABLE `contact_places` (
	`conversation_id` text NOT NULL,
	`contact_id` text NOT NULL,
	`addresses` text NOT NULL,
	PRIMARY KEY(`conversation_id`, `contact_id`)
);
--> statement-breakpoint
CREATE INDEX `contact_places_contact` ON `contact_places` (`contact_id`);--> statement-breakpoint
CREATE TABLE `contacts` (
	`id` text PRIMARY KEY NOT NULL,
	`customer_id` text NOT NULL,
	`name` text NOT NULL,
	`merged_into` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `contacts_list` ON `contacts` (`customer_id`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `contacts_merged` ON `contacts` (`merged_into`);--> statement-breakpoint
CREATE TABLE `erasures` (
	`id` text PRIMARY KEY NOT NULL,
	`customer_id` text NOT NULL,
	`contact_id` text NOT NULL,
	`contact_ids` text NOT NULL,
	`conversation_ids` text NOT NULL,
	`messages` integer NOT NULL,
	`files` integer NOT NULL,
	`created_at` integer NOT NULL,
	`done_at` integer
);
--> statement-breakpoint
CREATE INDEX `erasures_open` ON `erasures` (`done_at`,`created_at`);