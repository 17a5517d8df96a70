package demo

// english is what English-speaking customers and agents say.
var english = voice{
	greetings:  []string{"Hi,", "Hello,", "Dear Sir or Madam,", "Hi there,", "Good morning,", "To whom it may concern,"},
	regards:    []string{"Kind regards,\n{name}", "Best wishes,\n{given}", "Many thanks,\n{name}", "Regards,\n{name}", "Thanks,\n{given}", "Yours faithfully,\n{name}"},
	salutation: []string{"Dear {civ},", "Hi {given},", "Hello {given},"},
	signature:  []string{"Kind regards,\n{agent}\nCustomer Care, Maison Garance", "Warm regards,\n{agent} – Maison Garance", "Do get in touch if there is anything else.\n{agent}, Customer Care"},
	thanks: []string{
		"Brilliant, thank you so much for sorting this.", "Thanks {agent}, much appreciated.", "That's great, thank you for the quick reply.", "Lovely, thanks for your help.",
		"Perfect. Have a nice weekend!", "Thank you, that puts my mind at rest.", "Cheers, all sorted now.",
	},
	pushReply: []string{
		"I am so sorry our first answer didn't solve anything. I have taken this on myself and you will hear from me by tomorrow evening.",
		"You are quite right to chase us, and I apologise. I have escalated this to the warehouse this morning and will call you the moment I have an answer.",
		"I completely understand your frustration. My manager has just signed off the solution, so there is nothing more you need to do.",
	},
	silence: []string{
		"I am so sorry for the silence: your message had not been assigned to anyone. Thank you for giving us a nudge, I have taken this on myself.",
		"You should have heard from us days ago, and I apologise. I'll be looking after this until it is settled.",
	},
	pushBrief: []string{"So sorry, this isn't right. I'm dealing with it personally and will get back to you today.", "Apologies, this should have been settled by now. I've taken it to my manager and you'll have an answer tonight."},
	publicReply: []string{
		"Hi {given}, we're sorry to hear this. Could you send us your order number in a private message? {agent}", "Hi, that's not the experience we want you to have. Drop us a DM and we'll look into it right away. {agent}",
		"Hi {given}, thanks for letting us know. We've replied to you privately. {agent}",
	},
	botHello: []string{"Hello, I'm Garance, the virtual assistant. I can track an order, explain returns or put you through to an adviser. What can I do for you?", "Hi there! I'm Maison Garance's virtual assistant. How can I help?"},
	botLost: []string{
		"I've found order {order}. You can follow it under 'My orders'. Does that answer your question?", "I'm not sure I understood. Would you like to track an order, return something or talk to an adviser?",
		"You'll find our returns policy in the Help section. Is there anything else?",
	},
	human:    []string{"No. I'd like to speak to a person please.", "agent please", "That doesn't answer my question, can I talk to a human?", "Talk to an adviser", "No, not at all."},
	handover: []string{"Hi {given}, it's {agent} from Customer Care. I've read your chat with our assistant.", "Hello, you're through to {agent}. Bear with me a moment while I catch up."},
	scripts: map[theme]script{
		late: {
			subject: []string{"Order {order} still not delivered", "Late delivery", "Where is my order {order}?", "Delivery due on {due}"},
			open: []string{
				"I ordered a {product} on {date} (order {order}). Delivery was due on {due} and nothing has arrived. The tracking page has said 'in transit' for {days} days now. Could you please tell me where my parcel is?",
				"My order {order} of {date} should have been here on {due}. We are now {days} days past that and nobody has been in touch. I took a morning off work to be in for it. Please give me a firm date.",
				"I'm writing about order {order}. The {product} was meant to arrive in {city} on {due}. It's a present and the birthday is this weekend. Can I still count on it?",
				"Still no sign of the order I placed on {date} ({order}). The courier says they never had the parcel, you say it has left. Which is it?",
			},
			short: []string{"Hi, my order {order} was due on {due}, still nothing", "where is order {order} please? it's {days} days late", "My {product} hasn't turned up and the tracking hasn't moved for {days} days. Order {order}", "Hello. Delivery was due {due} and nothing came. Order no. {order}. Thanks"},
			note: []string{
				"Order {order}: {product} not delivered, due {due}. Customer unhappy, wants a date. Claim opened with courier.", "Call about delay of order {order}. Parcel stuck at {city} depot. Promised a call back within 24 hours.",
			},
			reply: []string{
				"Please accept our apologies for the delay. Your parcel {order} was misrouted at the sorting centre; I have sent it on its way again and you will have it within two working days. You'll get a text the day before.",
				"I understand how disappointing this is. The courier confirms that your parcel is at the {city} depot and will be delivered tomorrow between 9 am and 1 pm. I'll keep an eye on it until it is in your hands.",
				"I've checked, and order {order} left our warehouse late because the {product} was briefly out of stock. It will be with you this week, and we are refunding your delivery charge.",
			},
			brief: []string{"I can see parcel {order} at the {city} depot, it goes out tomorrow morning. Sorry about the delay.", "I've chased the courier: delivery tomorrow between 9 and 1, you'll get a text."},
			push: []string{
				"The delivery you promised never happened and order {order} still isn't here. This is really poor for a company like yours.",
				"I was promised delivery 'tomorrow'. It is now {days} days after the date you gave me. I want my order or my money back.",
			},
			public: []string{"@MaisonGarance {days} days late and not a word. Is this what you call customer service? 😡", "Still waiting for my order @MaisonGarance… anyone there?", "@MaisonGarance you promised delivery on {due}. What day is it again?"},
		},
		lost: {
			subject: []string{"Parcel marked as delivered but never received", "Order {order}: missing parcel", "My parcel never arrived"},
			open: []string{
				"Your website says my order {order} has been delivered, but I haven't received anything. I was at home all day and none of the neighbours have it. It's a {product} worth {amount}, so please look into this urgently.",
				"Tracking for order {order} says 'handed to resident'. It wasn't. Has the driver left the {product} at another house? I am at {street}, {city}.",
				"I'd like to report parcel {order} as lost. The courier tells me to contact you. Please send the {product} again or refund {amount}.",
			},
			short: []string{"My parcel {order} is marked delivered but I haven't got it", "Hi, the driver says he delivered the {product} but he didn't. Order {order}"},
			note:  []string{"Parcel {order} marked delivered, not received. Address checked: {street}, {city}. Courier investigation opened, resend if no answer within 5 days."},
			reply: []string{
				"I'm sorry about this. I have opened an investigation with the courier, and rather than keep you waiting I am sending another {product} today, to be signed for.",
				"Thank you for the details. The driver has admitted leaving the parcel at the wrong number. We have refunded {amount} to your card; please allow 3 to 5 days.",
			},
			brief:  []string{"I've opened an investigation and I'm sending another {product} today, to be signed for.", "That was the driver's mistake. {amount} will be back on your card in 3 to 5 days."},
			push:   []string{"You have been 'investigating' for a week. I have neither the {product} nor my {amount}. If I don't hear by Friday I shall go to the ombudsman."},
			public: []string{"Parcel 'delivered' according to @MaisonGarance, invisible at my end. Neat trick 👏", "@MaisonGarance my parcel has vanished and I've been on hold for 25 minutes. Fed up."},
		},
		damaged: {
			subject: []string{"My {product} arrived damaged", "Broken on arrival – order {order}", "Quality problem"},
			open: []string{
				"I've received order {order} but the {product} is damaged: there is a crack running right along it. The box itself was fine, so it must be the packing inside. I can send photos.",
				"What a disappointment. The {product} I'd been waiting for since {date} arrived broken. How do I exchange it? I'm not paying for the return.",
				"My {product} has developed a fault after only two weeks. For {amount} I expected better. Is it covered by the guarantee?",
			},
			short: []string{"hi, the {product} arrived broken, what do I do?", "Order {order}: item damaged when I opened the box. I have photos.", "There's a fault with my {product}, I'd like to exchange it"},
			note:  []string{"{Product} received damaged (order {order}). Photos requested by e-mail. Exchange agreed, prepaid return.", "Fault found on opening, order {order}. Wants a like-for-like exchange, not a voucher."},
			reply: []string{
				"I'm so sorry your {product} reached you in that state. There's no need to send it back: another one leaves tomorrow, better packed this time.",
				"Thank you for the photos, the fault is plain to see. A prepaid returns label is attached; the exchange goes out as soon as the courier scans your parcel.",
				"Your purchase is guaranteed for two years. We can offer you an exchange or a refund of {amount}, whichever you prefer.",
			},
			brief:  []string{"So sorry. No need to return it, a new one leaves tomorrow.", "Could you send me a photo? I'll start the exchange straight away."},
			push:   []string{"The replacement has come, with exactly the same fault. Do you check what you send out? I'd now like my money back."},
			public: []string{"My {product} from @MaisonGarance arrived… in two pieces. Great packing 🙄", "Really let down by the quality @MaisonGarance, {amount} for this!"},
		},
		wrong: {
			subject: []string{"Mistake in my order {order}", "Wrong item received"},
			open: []string{
				"I ordered a {product} and received something else altogether. The delivery note has my name and {order} on it, so the mix-up must have happened at your end. Please send me the right one.",
				"There's an item missing from my parcel: the {product} is on the invoice for order {order} but wasn't in the box. Could you check?",
			},
			short: []string{"You've sent me the wrong item, order {order}", "the {product} is missing from my parcel {order}"},
			note:  []string{"Picking error on {order}. {product} to be sent, wrong item to be collected from {street}."},
			reply: []string{
				"Our packers mixed up two parcels, I do apologise. Your {product} leaves tonight by express, and the courier will collect the other item from your door.",
				"You're quite right, the {product} was still in the warehouse. It's on its way, at no charge; please allow 48 hours.",
			},
			brief:  []string{"Our mistake: your {product} leaves tonight by express.", "Sending it right away, free of charge. Sorry again."},
			push:   []string{"The courier collected the wrong item but brought me nothing in return. Where is my {product}?"},
			public: []string{"Ordering a {product} from @MaisonGarance and getting the neighbour's instead, quite the adventure 😅"},
		},
		exchange: {
			subject: []string{"Change of size – order {order}", "Returning my {product}", "How do I exchange my {product}?"},
			open: []string{
				"The {product} from order {order} is lovely but size {size} is wrong for me. I'd like to change it for {size2}. Can I pop into {shop}, or does it have to go back by post?",
				"I'd like to return the {product} that came last week. There was no returns label in parcel {order}. Am I still within the 30 days if I post it on Monday?",
			},
			short: []string{"Hi, I'd like to swap my {product} for a {size2}, can I do that in store?", "return of order {order}: where do I find the label?"},
			note:  []string{"Exchange {size} to {size2} requested for {order}. Stock checked, held at {shop} until Saturday."},
			reply: []string{
				"Of course. The {product} in {size2} is available at {shop}: I've put one aside until Saturday, and the exchange is free if you bring the invoice.",
				"Your returns label is attached. As soon as your parcel is scanned we'll send size {size2}, free of charge.",
			},
			brief: []string{"Yes, there's a {size2} waiting for you at {shop} until Saturday.", "I'm e-mailing you the returns label, it's free."},
			push:  []string{"I sent the {product} back ten days ago and the {size2} still hasn't left. Have you received my return?"},
		},
		refund: {
			subject: []string{"Refund still not received", "Chasing refund {order}", "Return accepted but not refunded"},
			open: []string{
				"You've had my return of order {order} but I haven't been refunded. It's {amount}, which is not nothing. Your website says 14 days and we are well beyond that.",
				"My return of order {order} was accepted and I'm still waiting for {amount}. My bank tells me nothing is pending. Please let me know the exact date.",
			},
			short: []string{"I still haven't had my refund of {amount}, order {order}", "when will I get my refund? returned {order} 3 weeks ago"},
			note:  []string{"Refund of {amount} outstanding (order {order}). Return scanned at warehouse, not processed by accounts. Passed on as urgent.", "Chasing refund {order}, call back on Thursday. Doesn't want a voucher."},
			reply: []string{
				"Your return was booked in but the refund had got stuck. I have just released it: {amount} will be on your card within 3 to 5 working days.",
				"I understand your impatience. The transfer of {amount} went out this morning and the remittance is attached. I'm sorry it took so long.",
			},
			brief:  []string{"I've just released the refund of {amount}, please allow 3 to 5 working days.", "The transfer went out this morning, sorry for the wait."},
			push:   []string{"Still nothing in my account. You wrote '3 to 5 days'. My patience is wearing thin and I'm thinking of raising a chargeback with my bank."},
			public: []string{"@MaisonGarance give me my money back! {amount}, a month and counting.", "Quick to take your money, slow to give it back @MaisonGarance"},
		},
		stock: {
			subject: []string{"A question about the {product}", "Is the {product} available?", "Advice before I buy"},
			open: []string{
				"I'm interested in the {product} in your catalogue. Will it be back in stock soon? And is there one I could look at in {shop}?",
				"Before I order the {product}, could you tell me exactly what it's made of and how to look after it? One of my children has allergies, so I'd rather ask.",
			},
			short: []string{"Hi, is the {product} available at {shop}?", "when will you have the {product} back in stock?", "how do I look after the {product}?"},
			note:  []string{"Product enquiry: {product}. None at {shop}, new stock in ten days. Stock alert set."},
			reply: []string{
				"Thank you for your interest. The {product} will be back in about ten days; I've added you to the list and you'll be the first to know.", "{shop} has two on display. I've attached the sheet with the materials and care instructions.",
			},
			brief: []string{"There are two left at {shop}!", "Back in about ten days, I'll put you on the list."},
			push:  []string{"Have you had a chance to find out? I'd like to order before the end of the week."},
		},
		invoice: {
			subject: []string{"Invoice for order {order}", "Copy of invoice"},
			open: []string{
				"Could you send me an invoice for order {order} of {date}, {amount}? My employer is asking for it and I can't find it in my account.", "I need a copy of invoice {order} for my insurance. Could you please make it out to {name}?",
			},
			short: []string{"could I have the invoice for order {order} please", "Hi, I can't find my invoice {order}"},
			note:  []string{"Invoice request {order}, sent to {email}."},
			reply: []string{"Please find the invoice attached. It is also in your account, under 'My orders'.", "Here is the copy you asked for, made out to {name}. Let us know if your insurer needs anything else."},
			brief: []string{"Sent to {email}.", "The invoice has just gone out by e-mail."},
			push:  []string{"Nothing has arrived, not even in my junk folder. Could you send invoice {order} again?"},
		},
		changes: {
			subject: []string{"Change of address", "Updating my details", "My account"},
			open: []string{
				"I've moved. Could you change my address to {street}, {city}? I can't do it in my account, the page just keeps loading.", "I'd like to update my details: my e-mail address is now {email}. Please keep my order history and points.",
			},
			short: []string{"Hi, how do I change my address? I now live at {street}, {city}", "need to change my email, the new one is {email}"},
			note:  []string{"Details updated: {street}, {city}. E-mail {email} read back and confirmed."},
			reply: []string{"All done: your next orders will go to {street}, {city}. Your points and order history are safe.", "I've updated your record with {email}. You'll get a message to confirm it."},
			brief: []string{"Changed, and your points are safe.", "There you go, your new address is saved."},
			push:  []string{"My last order went to the old address again. Could you check that it really has been changed?"},
		},
		loyalty: {
			subject: []string{"Missing loyalty points", "Loyalty card {card}", "My points"},
			open: []string{
				"The points for my order {order} haven't shown up on card {card}. I bought it on {date} and spent {amount}. Could you add them?",
				"When I was in {shop} the till couldn't read my card {card}. Can the points be added afterwards? I've kept the receipt.",
			},
			short: []string{"Hi, my points aren't on card {card}", "I'm missing the points for order {order}"},
			note:  []string{"Points missing on card {card}, order {order}. Put right."},
			reply: []string{"Your points have been added to card {card} and you can see them now. Thank you for your loyalty.", "That's been put right, with twenty extra points for the trouble."},
			brief: []string{"Done, the points are on your card.", "Adding them now, plus 20 for the trouble."},
			push:  []string{"I still can't see my points although you said it was sorted."},
		},
		praise: {
			subject: []string{"Thank you!", "Well done to your team", "A big thank you to {shop}"},
			open: []string{
				"I don't often write to companies but I wanted to say thank you. The {product} is gorgeous, even nicer than in the photos, and it came early. Keep it up!",
				"I'd like to praise the service I had at {shop}. The lady took the time to explain everything and saved me from a mistake. That's rare these days.",
			},
			short: []string{"Just wanted to say thanks, the {product} is beautiful", "Well done on the speed, ordered Monday and here on Wednesday!"},
			note:  []string{"Called to say thank you for the {product}. To be passed on to {shop}."},
			reply: []string{"Your message made our day, and I've passed it on to the whole team. We hope to see you again soon.", "What a lovely message! Thank you, it's up on the wall in the staff room."},
			brief: []string{"Thank you, that means a lot!", "Thanks so much, I'll tell the team."},
		},
	},
	gesture: map[theme][]string{
		late:    {"Goodwill gesture for the delay of order {order}", "Delivery charge refunded, order {order}"},
		damaged: {"Credit granted: the {product} arrived damaged", "Voucher granted, item not as described"},
		"":      {"Voucher as an apology, case handled by {agent}", "Goodwill gesture after complaint, order {order}"},
	},
	opinions: [3][]string{
		{
			"Three calls to fix a simple problem, and I had to explain it all over again each time.", "Nice product but impossible to reach anyone.", "I won't recommend you until you keep to your delivery dates.", "A copy-and-paste answer, nobody read my message.",
			"Very disappointed, still waiting.",
		},
		{"It got sorted in the end, but I had to push.", "Delivery a bit slow, product as described.", "Nothing wrong, nothing special.", "Fine. The website is slow on my phone.", "Friendly adviser, took too long."},
		{
			"Excellent service, an answer within the hour.", "Always a pleasure, and {agent} was so kind.", "Fast delivery and beautifully packed.", "Lovely quality, would recommend.", "You can tell there are real people behind it.", "Perfect from start to finish.",
		},
	},
	reviews: [3][]string{
		{
			"The {product} didn't last a month. Not acceptable for {amount}.", "The colour is nothing like the photo, and customer service just ignored me.", "Badly packed, arrived damaged. Had to send it back.",
		},
		{"Pretty, but a little dear for the finish.", "As described. Clearer instructions would have helped.", "Good, not great."},
		{
			"The {product} is gorgeous, everyone asks me about it.", "Beautiful material, you can see the difference. Would buy again without a second thought.", "My second one and just as happy. Quick delivery to {city}.", "Love at first sight, exactly what I was looking for.",
		},
	},
	praises: []string{
		"My {product} from @MaisonGarance is an absolute joy 😍", "Thanks @MaisonGarance for the super quick delivery, in love with my {product}", "Popped into @MaisonGarance {city}, such a lovely team as always", "New favourite shop: @MaisonGarance ❤️",
	},
	questions: []string{
		"@MaisonGarance when are you reopening in {city}?", "Has anyone tried the {product} from @MaisonGarance? Worth it?", "@MaisonGarance what time does the sale start online?", "@MaisonGarance do you deliver to Ireland?",
	},
	shipped: []string{"Maison Garance: your order {order} is on its way, delivery due {due}.", "Good news {given}, parcel {order} will be with you on {due}. Track it: mg.example/{order}"},
	ready:   []string{"Maison Garance {shop}: your order {order} is ready. Please collect it within 7 days and bring some ID."},
	stop:    []string{"STOP", "Stop", "stop please", "STOP texts"},
	sale:    []string{"{given}, the Maison Garance sale starts for loyal customers tomorrow at 8 am. Reply STOP to opt out", "Maison Garance private sale: 30% off bed linen until Sunday. Reply STOP to opt out"},
}
