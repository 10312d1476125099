-- When and where a giấy mời or lịch công tác asks people to come, as JSON; '' where the document asks nobody, or does not say it surely.
ALTER TABLE document ADD COLUMN meets TEXT NOT NULL DEFAULT '';
