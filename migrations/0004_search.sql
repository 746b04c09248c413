CREATE TABLE `search_texts` (
	`id` integer PRIMARY KEY NOT NULL,
	`key` text NOT NULL,
	`conversation_id` text NOT NULL,
	`customer` text NOT NULL,
	`terms` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `search_texts_key` ON `search_texts` (`key`);--> statement-breakpoint
CREATE INDEX `search_texts_conversation` ON `search_texts` (`conversation_id`);
--> statement-breakpoint
-- Written by hand: drizzle knows no virtual tables. The index holds no text of its own; triggers keep it in step.
CREATE VIRTUAL TABLE `search` USING fts5(`customer`, `terms`, content='search_texts', content_rowid='id', tokenize='unicode61 remove_diacritics 2');
--> statement-breakpoint
-- What is deleted leaves the index's pages too, at once: an erased contact's words must not stay behind.
INSERT INTO `search`(`search`, `rank`) VALUES ('secure-delete', 1);
--> statement-breakpoint
CREATE TRIGGER `search_inserted` AFTER INSERT ON `search_texts` BEGIN
	INSERT INTO `search`(`rowid`, `customer`, `terms`) VALUES (new.`id`, new.`customer`, new.`terms`);
END;
--> statement-breakpoint
CREATE TRIGGER `search_deleted` AFTER DELETE ON `search_texts` BEGIN
	INSERT INTO `search`(`search`, `rowid`, `customer`, `terms`) VALUES ('delete', old.`id`, old.`customer`, old.`terms`);
END;
--> statement-breakpoint
CREATE TRIGGER `search_updated` AFTER UPDATE OF `terms` ON `search_texts` BEGIN
	INSERT INTO `search`(`search`, `rowid`, `customer`, `terms`) VALUES ('delete', old.`id`, old.`customer`, old.`terms`);
	INSERT INTO `search`(`rowid`, `customer`, `terms`) VALUES (new.`id`, new.`customer`, new.`terms`);
END;
