ALTER TABLE `contact_traces` RENAME TO `contact_address_history`;--> statement-breakpoint
ALTER TABLE `contact_places` RENAME TO `contact_memberships`;--> statement-breakpoint
DROP INDEX `contact_traces_address`;--> statement-breakpoint
DROP INDEX `contact_traces_conversation`;--> statement-breakpoint
CREATE INDEX `contact_address_history_address` ON `contact_address_history` (`customer_id`,`target`);--> statement-breakpoint
CREATE INDEX `contact_address_history_conversation` ON `contact_address_history` (`conversation_id`);--> statement-breakpoint
DROP INDEX `contact_places_contact`;--> statement-breakpoint
CREATE INDEX `contact_memberships_contact` ON `contact_memberships` (`contact_id`);