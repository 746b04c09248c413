CREATE TABLE `contact_traces` (
	`customer_id` text NOT NULL,
	`contact_id` text NOT NULL,
	`conversation_id` text NOT NULL,
	`type` text NOT NULL,
	`target` text NOT NULL,
	PRIMARY KEY(`contact_id`, `conversation_id`, `type`, `target`)
);
--> statement-breakpoint
CREATE INDEX `contact_traces_address` ON `contact_traces` (`customer_id`,`target`);--> statement-breakpoint
CREATE INDEX `contact_traces_conversation` ON `contact_traces` (`conversation_id`);--> statement-breakpoint
ALTER TABLE `idempotency_keys` ADD `conversation_id` text;
--> statement-breakpoint
-- Written by hand: where everybody is, and by the history where everybody was.
INSERT OR IGNORE INTO `contact_traces` (`customer_id`, `contact_id`, `conversation_id`, `type`, `target`)
SELECT contacts.customer_id, place.contact_id, place.conversation_id, one.value ->> 'type', one.value ->> 'target'
FROM contact_places AS place JOIN contacts ON contacts.id = place.contact_id, json_each(place.addresses) AS one;
--> statement-breakpoint
INSERT OR IGNORE INTO `contact_traces` (`customer_id`, `contact_id`, `conversation_id`, `type`, `target`)
SELECT events.customer_id, person.value ->> 'contactId', events.source_id, one.value ->> 'type', one.value ->> 'target'
FROM events, json_each(events.facts, '$.participants') AS person, json_each(person.value, '$.addresses') AS one
WHERE events.type LIKE 'conversation.%' AND person.type = 'object';
