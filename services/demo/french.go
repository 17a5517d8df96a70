package demo

// french is what French-speaking customers and agents say.
var french = voice{
	greetings:  []string{"Bonjour,", "Bonjour,", "Bonjour Madame, Monsieur,", "Madame, Monsieur,", "Bonjour,", "Bonjour à toute l'équipe,"},
	evening:    "Bonsoir,",
	regards:    []string{"Cordialement,\n{name}", "Bien à vous,\n{given} {family}", "Merci d'avance,\n{name}", "Dans l'attente de votre réponse,\n{name}", "Bonne journée,\n{given}", "{name}"},
	salutation: []string{"Bonjour {civ},", "Bonjour {civ},", "Bonjour {given},"},
	signature:  []string{"Bien cordialement,\n{agent}\nService client Maison Garance", "Belle journée,\n{agent} – Maison Garance", "Je reste à votre disposition.\n{agent}, service client Maison Garance"},
	thanks: []string{
		"Merci beaucoup pour votre réponse rapide, c'est parfait.", "Super, merci !", "Merci {agent}, problème réglé.", "Bien reçu, je vous remercie de votre aide.",
		"C'est noté, merci et bonne journée.", "Merci pour votre patience, je suis rassuré{e}.", "Parfait. Je vous remercie pour votre efficacité.",
	},
	pushReply: []string{
		"Je suis sincèrement désolé{f} que notre première réponse n'ait rien réglé. Je prends personnellement votre dossier en charge et vous tiens informé{e} d'ici demain soir.",
		"Vous avez raison de vous manifester, et je vous prie d'accepter nos excuses. J'ai relancé le service concerné ce matin en urgence, et je vous rappelle dès que j'ai sa réponse.",
		"Je comprends votre agacement. J'ai fait remonter votre dossier à ma responsable, qui vient de valider la solution : vous n'aurez plus rien à faire.",
	},
	silence: []string{
		"Je suis sincèrement désolé{f} pour ce silence : votre message n'avait pas été attribué. Merci de nous avoir interpellés, je prends personnellement votre dossier en charge.",
		"Vous auriez dû recevoir une réponse depuis plusieurs jours, et je vous prie d'accepter nos excuses. Je m'occupe de votre dossier jusqu'au bout.",
	},
	pushBrief: []string{
		"Toutes nos excuses, ce n'est pas normal. Je m'en occupe personnellement et je reviens vers vous aujourd'hui.",
		"Je suis désolé{f}, cela aurait dû être réglé. J'ai fait remonter votre demande à ma responsable, vous aurez une réponse ce soir.",
	},
	publicReply: []string{
		"Bonjour {given}, nous sommes désolés. Pouvez-vous nous envoyer votre numéro de commande en message privé ? {agent}",
		"Bonjour, ce n'est pas l'expérience que nous voulons offrir. Écrivez-nous en privé, on regarde tout de suite. {agent}",
		"Bonjour {given}, merci de nous avoir alertés. On vous répond en message privé. {agent}",
	},
	botHello: []string{
		"Bonjour, je suis Garance, l'assistante virtuelle. Je peux suivre une commande, expliquer un retour ou vous passer un conseiller. De quoi s'agit-il ?",
		"Bonjour ! Je suis l'assistante virtuelle de Maison Garance. Comment puis-je vous aider ?",
	},
	botLost: []string{
		"J'ai bien noté la commande {order}. Vous trouverez son suivi dans « Mes commandes ». Est-ce que cela répond à votre question ?",
		"Je ne suis pas sûre d'avoir compris. Souhaitez-vous suivre une commande, faire un retour ou parler à un conseiller ?",
		"Vous pouvez consulter nos conditions d'échange et de retour dans la rubrique Aide. Autre chose ?",
	},
	human:    []string{"Non. Je voudrais parler à quelqu'un.", "un conseiller svp", "Ça ne répond pas à ma question, passez-moi un humain.", "Parler à un conseiller", "Non, pas du tout."},
	handover: []string{"Bonjour {given}, je suis {agent}, du service client. J'ai lu votre échange avec notre assistante.", "Bonjour, {agent} à votre service. Je reprends la conversation, un instant."},
	scripts: map[theme]script{
		late: {
			subject: []string{"Commande {order} toujours pas livrée", "Retard de livraison", "Où est ma commande {order} ?", "Livraison annoncée le {due}"},
			open: []string{
				"J'ai commandé {un} le {date} (commande {order}). La livraison était annoncée pour le {due} et je n'ai toujours rien reçu. Le suivi indique « en cours d'acheminement » depuis {days} jours. Pouvez-vous me dire où est mon colis ?",
				"Ma commande {order} du {date} devait arriver le {due}. Nous avons {days} jours de retard et personne ne m'a prévenu{e}. J'avais posé une demi-journée pour recevoir {le}. Merci de me donner une date ferme.",
				"Je me permets de vous écrire au sujet de ma commande {order}. {Le} devait être livré{x} le {due} chez moi à {city}, c'est un cadeau et l'anniversaire est ce week-end. Est-ce que je peux encore compter dessus ?",
				"Toujours aucune nouvelle de ma commande {order} passée le {date}. Le transporteur dit qu'il n'a jamais reçu le colis, vous dites qu'il est parti. Qui dit vrai ?",
			},
			short: []string{
				"Bonjour, ma commande {order} devait arriver le {due}, toujours rien", "où est ma commande {order} svp ? ça fait {days} jours de retard", "Je n'ai pas reçu {mon}, le suivi ne bouge plus depuis {days} jours. Commande {order}",
				"Bonjour. Livraison prévue le {due}, je n'ai rien reçu. N° {order}. Merci",
			},
			note: []string{
				"Cde {order} : {product} non livré{x}, prévu{x} le {due}. Très mécontent{e}, demande une date ferme. Réclamation transporteur ouverte.",
				"Appel au sujet du retard de la commande {order}. Colis bloqué au dépôt de {city}. Promis un rappel sous 24 h.",
			},
			reply: []string{
				"Je vous présente nos excuses pour ce retard. Votre colis {order} a été mal orienté au centre de tri ; je viens de le faire repartir et {le} vous sera livré{x} sous deux jours ouvrés. Vous recevrez un SMS la veille.",
				"Je comprends votre déception. Le transporteur nous confirme que votre colis est au dépôt de {city} : la livraison aura lieu demain entre 9 h et 13 h. Je suis le dossier jusqu'à ce que vous l'ayez en main.",
				"Après vérification, votre commande {order} a quitté notre entrepôt avec retard à cause d'une rupture passagère. Elle arrive cette semaine, et nous vous remboursons les frais de livraison.",
			},
			brief: []string{"Je vois le colis {order} au dépôt de {city}, il part en livraison demain matin. Désolé{f} pour ce retard.", "J'ai relancé le transporteur : livraison demain entre 9 h et 13 h, vous recevrez un SMS."},
			push: []string{
				"La livraison que vous m'annonciez n'a pas eu lieu et la commande {order} n'est toujours pas là. C'est vraiment décevant pour une maison comme la vôtre.",
				"On m'avait promis une livraison « demain ». Nous sommes {days} jours après la date prévue et toujours rien. Je veux être livré{e} ou remboursé{e}.",
			},
			public: []string{"@MaisonGarance {days} jours de retard et pas un mot. C'est ça le service client ? 😡", "Toujours pas de nouvelles de ma commande @MaisonGarance… quelqu'un pour me répondre ?", "@MaisonGarance livraison promise le {due}. On est quel jour déjà ?"},
		},
		lost: {
			subject: []string{"Colis indiqué livré mais jamais reçu", "Commande {order} : colis perdu", "Je n'ai jamais reçu mon colis"},
			open: []string{
				"Votre site indique que ma commande {order} a été livrée, mais je n'ai rien reçu. J'étais chez moi toute la journée, le gardien n'a rien et mes voisins non plus. Il s'agit d'{un} à {amount} : je vous demande de faire le nécessaire.",
				"Le suivi de la commande {order} affiche « remis au destinataire ». C'est faux, il n'y a rien dans ma boîte aux lettres. Le livreur a-t-il déposé {le} à une autre adresse ? Je suis bien au {street}, à {city}.",
				"Je souhaite signaler la perte de mon colis {order}. Le transporteur me renvoie vers vous. Merci de me renvoyer {le} ou de me rembourser {amount}.",
			},
			short: []string{"Mon colis {order} est noté livré mais je ne l'ai pas reçu", "Bonjour, le livreur dit avoir livré {le}, c'est faux, je n'ai rien eu. Commande {order}"},
			note:  []string{"Colis {order} noté livré, non reçu. Adresse vérifiée : {street}, {city}. Enquête transporteur lancée, renvoi si pas de réponse sous 5 jours."},
			reply: []string{
				"Je suis désolé{f} de cette mésaventure. J'ai ouvert une enquête auprès du transporteur et, sans attendre sa réponse, je vous renvoie {le} aujourd'hui en livraison contre signature.",
				"Merci pour ces précisions. Le livreur a reconnu avoir déposé le colis au mauvais numéro. Nous vous remboursons {amount} sur votre moyen de paiement sous 3 à 5 jours.",
			},
			brief: []string{"J'ouvre une enquête et je vous renvoie {le} dès aujourd'hui, contre signature.", "C'est une erreur du livreur, vous serez remboursé{e} de {amount} sous 3 à 5 jours."},
			push:  []string{"Cela fait une semaine que vous « enquêtez ». Je n'ai ni {le} ni mes {amount}. Sans nouvelles d'ici vendredi, je saisis le médiateur."},
			public: []string{
				"Colis « livré » selon @MaisonGarance, mais fantôme chez moi. Super tour de magie 👏", "@MaisonGarance mon colis a disparu et votre standard me fait patienter 25 minutes. Je suis à bout.",
			},
		},
		damaged: {
			subject: []string{"{Le} est arrivé{x} abîmé{x}", "Article cassé à la réception – commande {order}", "Problème de qualité"},
			open: []string{
				"J'ai bien reçu ma commande {order} mais {le} est abîmé{x} : il y a une fissure sur toute la longueur. Le carton était pourtant intact, l'emballage intérieur est insuffisant. Je peux vous envoyer des photos.",
				"Quelle déception en ouvrant le colis : {le} que j'attendais depuis le {date} est arrivé{x} cassé{x}. Comment se passe l'échange ? Je n'ai pas l'intention de payer le retour.",
				"{Mon} présente un défaut après deux semaines d'utilisation seulement. À {amount}, je m'attendais à mieux. Est-ce que la garantie s'applique ?",
			},
			short: []string{"bonjour {le} est arrivé{x} cassé{x}, comment faire ?", "Commande {order} : article abîmé à l'ouverture du carton. J'ai des photos.", "{Mon} a un défaut, je voudrais {la} changer"},
			note:  []string{"{Product} reçu{x} endommagé{x} (cde {order}). Photos demandées par mail. Échange accordé, retour prépayé.", "Défaut constaté à l'ouverture, commande {order}. Souhaite un échange à l'identique et pas d'avoir."},
			reply: []string{
				"Je suis navré{f} que {le} vous soit parvenu{x} dans cet état. Inutile de nous {la} retourner : nous vous en expédions un nouvel exemplaire demain, avec un emballage renforcé.",
				"Merci pour vos photos, le défaut est manifeste. Vous trouverez ci-joint une étiquette de retour prépayée ; l'échange part dès que le transporteur a scanné votre colis.",
				"Votre article est garanti deux ans. Nous vous proposons au choix un échange ou le remboursement de {amount}. Dites-moi ce que vous préférez.",
			},
			brief: []string{"Je suis navré{f}. Pas besoin de nous {la} renvoyer, un nouvel exemplaire part demain.", "Pouvez-vous m'envoyer une photo ? Je lance l'échange tout de suite."},
			push:  []string{"Le deuxième exemplaire est arrivé, et il a exactement le même défaut. Vous contrôlez ce que vous envoyez ? Je souhaite maintenant être remboursé{e}."},
			public: []string{
				"Reçu {mon} @MaisonGarance… en deux morceaux. Bravo l'emballage 🙄", "Très déçu{e} de la qualité @MaisonGarance, {amount} pour ça !",
			},
		},
		wrong: {
			subject: []string{"Erreur dans ma commande {order}", "Ce n'est pas le bon article"},
			open: []string{
				"J'avais commandé {un} et j'ai reçu tout autre chose. Le bon de livraison porte bien mon nom et le numéro {order}, l'erreur vient donc de la préparation. Merci de m'envoyer le bon article.",
				"Il manque un article dans mon colis : {le} figure sur la facture de la commande {order} mais n'était pas dans le carton. Pouvez-vous vérifier ?",
			},
			short: []string{"Vous m'avez envoyé le mauvais article, commande {order}", "il manque {le} dans mon colis {order}"},
			note:  []string{"Erreur de préparation sur {order}. {product} à expédier, l'article reçu par erreur est à reprendre au {street}."},
			reply: []string{
				"Nos préparateurs ont interverti deux colis, je vous prie de nous excuser. {Le} part ce soir en express, et le transporteur reprendra l'autre article à votre domicile.",
				"Vous avez tout à fait raison, {le} était resté{x} à l'entrepôt. Envoi immédiat, sans frais ; comptez 48 heures.",
			},
			brief:  []string{"Erreur de notre part : {le} part ce soir en express.", "Je l'envoie tout de suite, sans frais. Encore pardon."},
			push:   []string{"Le transporteur est passé reprendre l'article mais ne m'a rien apporté en échange. Où est {mon} ?"},
			public: []string{"Commander {un} chez @MaisonGarance et recevoir celui du voisin, une aventure 😅"},
		},
		exchange: {
			subject: []string{"Échange de taille – commande {order}", "Retour {du}", "Comment échanger {mon} ?"},
			open: []string{
				"{Le} de ma commande {order} est très joli mais la taille {size} ne convient pas. Je souhaiterais {la} échanger contre du {size2}. Puis-je passer à la boutique {shop} ou faut-il renvoyer par la poste ?",
				"Je voudrais retourner {le} reçu{x} la semaine dernière. Je n'ai pas trouvé d'étiquette de retour dans le colis {order}. Le délai de 30 jours est-il bien respecté si je poste lundi ?",
			},
			short: []string{"Bonjour, je voudrais échanger {mon} en {size2}, c'est possible en boutique ?", "retour commande {order} : où je trouve l'étiquette ?"},
			note:  []string{"Échange {size} vers {size2} demandé pour {order}. Stock vérifié, réservé en boutique {shop} jusqu'à samedi."},
			reply: []string{
				"Bien sûr. {Le} en {size2} est disponible à la boutique {shop} : je vous {la} réserve jusqu'à samedi, l'échange est gratuit sur présentation de la facture.",
				"Vous trouverez l'étiquette de retour en pièce jointe. Dès que votre colis est scanné, nous expédions la taille {size2}, sans frais.",
			},
			brief:  []string{"Oui, {il} vous attend en {size2} à la boutique {shop} jusqu'à samedi.", "Je vous envoie l'étiquette de retour par e-mail, c'est gratuit."},
			push:   []string{"J'ai renvoyé {le} il y a dix jours et la taille {size2} n'est toujours pas partie. Avez-vous reçu mon retour ?"},
			public: nil,
		},
		refund: {
			subject: []string{"Remboursement toujours pas reçu", "Relance remboursement {order}", "Retour accepté mais pas remboursé"},
			open: []string{
				"Vous avez reçu mon retour de la commande {order} mais je n'ai pas été remboursé{e}. Il s'agit de {amount}, ce n'est pas rien. Votre site annonce 14 jours, nous les avons largement dépassés.",
				"Mon retour de la commande {order} a été accepté et j'attends toujours le virement de {amount}. Ma banque me confirme qu'aucune opération n'est en attente. Merci de m'indiquer la date exacte.",
			},
			short: []string{"Je n'ai toujours pas reçu le remboursement de {amount}, commande {order}", "quand est-ce que je serai remboursé{e} ? retour {order} fait il y a 3 semaines"},
			note:  []string{"Remboursement de {amount} en attente (cde {order}). Retour scanné à l'entrepôt, non traité en comptabilité. Transmis en urgence.", "Relance remboursement {order}, à rappeler jeudi. Refuse un avoir, veut un virement."},
			reply: []string{
				"Votre retour a bien été enregistré mais le remboursement était resté bloqué. Je l'ai validé à l'instant : {amount} seront crédités sur votre carte sous 3 à 5 jours ouvrés.",
				"Je comprends votre impatience. Le virement de {amount} est parti ce matin, vous en trouverez le justificatif ci-joint. Toutes nos excuses pour ce délai.",
			},
			brief:  []string{"Je viens de valider le remboursement de {amount}, comptez 3 à 5 jours ouvrés.", "Le virement est parti ce matin, désolé{f} pour l'attente."},
			push:   []string{"Toujours rien sur mon compte. Vous m'aviez écrit « 3 à 5 jours ». Je commence à perdre patience et j'envisage une opposition auprès de ma banque."},
			public: []string{"@MaisonGarance rendez l'argent ! {amount} que j'attends depuis un mois.", "Rapide pour encaisser, moins pour rembourser @MaisonGarance"},
		},
		stock: {
			subject: []string{"Question sur {le}", "Disponibilité {du}", "Renseignement avant achat"},
			open: []string{
				"Je m'intéresse {au} que j'ai vu{x} dans votre catalogue. Sera-t-{il} de nouveau en stock prochainement ? Et peut-on {la} voir à la boutique {shop} ?",
				"Avant de commander {le}, pourriez-vous me préciser la composition et l'entretien ? J'ai un enfant allergique, je préfère demander.",
			},
			short: []string{"Bonjour, {le} est-{il} disponible à {shop} ?", "vous aurez {le} de nouveau en stock quand ?", "{le}, ça s'entretient comment ?"},
			note:  []string{"Renseignement produit : {product}. Pas de stock à {shop}, réassort dans dix jours. Alerte stock posée."},
			reply: []string{
				"Merci de votre intérêt. {Le} sera de retour dans une dizaine de jours ; je vous ai inscrit{e} à l'alerte et vous serez prévenu{e} en priorité.",
				"La boutique {shop} en a deux exemplaires en exposition. Je vous joins la fiche avec la composition et les conseils d'entretien.",
			},
			brief: []string{"Il en reste deux à {shop} !", "De retour dans une dizaine de jours, je vous inscris à l'alerte."},
			push:  []string{"Avez-vous eu le temps de vous renseigner ? J'aimerais commander avant la fin de la semaine."},
		},
		invoice: {
			subject: []string{"Facture commande {order}", "Demande de duplicata"},
			open: []string{
				"Pourriez-vous m'adresser une facture pour la commande {order} du {date}, d'un montant de {amount} ? Mon employeur me la demande et je ne la trouve pas dans mon espace client.",
				"J'aurais besoin d'un duplicata de la facture {order} pour mon assurance. Merci de bien vouloir l'établir au nom de {name}.",
			},
			short: []string{"il me faudrait la facture de la commande {order} svp", "Bonjour, je ne trouve pas ma facture {order}"},
			note:  []string{"Demande de facture {order}, envoyée à {email}."},
			reply: []string{"Vous trouverez la facture en pièce jointe. Elle est aussi disponible dans votre espace, rubrique « Mes commandes ».", "Voici le duplicata demandé, établi au nom de {name}. N'hésitez pas si votre assurance a besoin d'autre chose."},
			brief: []string{"C'est envoyé à l'adresse {email}.", "La facture vient de partir par e-mail."},
			push:  []string{"Je n'ai rien reçu, même dans les indésirables. Pouvez-vous renvoyer la facture {order} ?"},
		},
		changes: {
			subject: []string{"Changement d'adresse", "Mise à jour de mes coordonnées", "Modification de mon compte"},
			open: []string{
				"J'ai déménagé. Pouvez-vous enregistrer ma nouvelle adresse : {street}, {city} ? Je n'arrive pas à la modifier dans mon compte, la page tourne en boucle.",
				"Je souhaite mettre à jour mes coordonnées : mon adresse e-mail est désormais {email}. Merci de conserver mon historique et mes points.",
			},
			short: []string{"Bonjour, comment changer mon adresse ? J'habite maintenant au {street} à {city}", "je veux changer mon mail, le nouveau c'est {email}"},
			note:  []string{"Coordonnées mises à jour : {street}, {city}. Mail {email} relu et confirmé."},
			reply: []string{"C'est fait : vos prochaines commandes partiront au {street}, à {city}. Vos points et votre historique sont conservés.", "J'ai mis à jour votre dossier avec l'adresse {email}. Vous recevrez un message pour la confirmer."},
			brief: []string{"C'est modifié, vos points sont conservés.", "Voilà, votre nouvelle adresse est enregistrée."},
			push:  []string{"Ma dernière commande est encore partie à l'ancienne adresse. Pouvez-vous vérifier que c'est bien changé ?"},
		},
		loyalty: {
			subject: []string{"Points de fidélité manquants", "Carte de fidélité {card}", "Mes points"},
			open: []string{
				"Les points de ma commande {order} n'apparaissent pas sur ma carte {card}. L'achat date du {date} et s'élevait à {amount}. Pouvez-vous les ajouter ?",
				"Lors de mon passage à la boutique {shop}, la vendeuse n'a pas pu lire ma carte {card}. Est-il possible de créditer mes points après coup ? J'ai gardé le ticket.",
			},
			short: []string{"Bonjour, mes points ne sont pas sur ma carte {card}", "il me manque les points de la commande {order}"},
			note:  []string{"Points manquants carte {card}, commande {order}. Régularisé."},
			reply: []string{"Vos points ont été ajoutés à votre carte {card} ; ils sont visibles dès maintenant. Merci de votre fidélité.", "C'est régularisé, avec vingt points de plus pour le dérangement."},
			brief: []string{"C'est fait, les points sont sur votre carte.", "Je les ajoute tout de suite, plus 20 pour le dérangement."},
			push:  []string{"Je ne vois toujours pas mes points alors que vous me disiez que c'était réglé."},
		},
		praise: {
			subject: []string{"Merci !", "Bravo à votre équipe", "Un grand merci à la boutique {shop}"},
			open: []string{
				"Une fois n'est pas coutume, je vous écris pour vous remercier. {Le} est superbe, encore mieux que sur les photos, et la livraison était en avance. Continuez ainsi !",
				"Je tenais à saluer l'accueil que j'ai reçu à la boutique {shop}. La conseillère a pris le temps de tout m'expliquer et m'a évité une erreur. C'est devenu rare.",
			},
			short: []string{"Juste pour dire merci, {le} est magnifique", "Bravo pour la rapidité, commandé lundi et reçu mercredi !"},
			note:  []string{"Appel de remerciement au sujet {du}. À transmettre à la boutique {shop}."},
			reply: []string{"Votre message nous a fait très plaisir, je l'ai transmis à toute l'équipe. Au plaisir de vous revoir.", "Quel joli message ! Merci, il est affiché dans la salle de pause."},
			brief: []string{"Merci, ça nous touche beaucoup !", "Un grand merci, je transmets à l'équipe."},
		},
	},
	gesture: map[theme][]string{
		late:    {"Geste commercial pour le retard de la commande {order}", "Frais de livraison remboursés, commande {order}"},
		damaged: {"Avoir accordé : {le} est arrivé{x} abîmé{x}", "Bon d'achat offert, article non conforme"},
		"":      {"Bon d'achat offert en excuse, dossier suivi par {agent}", "Geste commercial après réclamation, commande {order}"},
	},
	opinions: [3][]string{
		{
			"Trois appels pour régler un problème simple, et à chaque fois il faut tout réexpliquer.", "Produit correct mais service client injoignable.", "Je ne recommanderai plus chez vous tant que les délais ne sont pas respectés.",
			"Réponse copiée-collée, on n'a pas lu mon message.", "Très déçu{e}, j'attends encore.",
		},
		{
			"Le problème a été réglé, mais il a fallu insister.", "Livraison un peu longue, produit conforme.", "Rien à redire, rien d'exceptionnel.", "Correct. Le site est lent sur mobile.", "Conseillère aimable, délai trop long.",
		},
		{
			"Service impeccable, réponse en moins d'une heure.", "Toujours un plaisir, merci à {agent} pour sa gentillesse.", "Livraison rapide et emballage soigné.", "Qualité au rendez-vous, je recommande.",
			"On sent une vraie équipe derrière, ça fait du bien.", "Parfait du début à la fin.",
		},
	},
	reviews: [3][]string{
		{
			"{Le} n'a pas tenu un mois. À {amount}, c'est inacceptable.", "La couleur n'a rien à voir avec la photo, et le service après-vente fait la sourde oreille.", "Mal emballé{x}, arrivé{x} abîmé{x}. Je n'ai pas pu {la} garder.",
		},
		{
			"Joli mais un peu cher pour la finition.", "Conforme à la description. J'aurais aimé une notice plus claire.", "Bien, sans plus.",
		},
		{
			"{Le} est magnifique, on m'en parle tout le temps.", "Très belle matière, on voit la différence. Je rachèterai les yeux fermés.", "Deuxième achat et toujours aussi content{e}. Livraison rapide à {city}.", "Un coup de cœur, exactement ce que je cherchais.",
		},
	},
	praises: []string{
		"{Mon} de chez @MaisonGarance, une merveille 😍", "Merci @MaisonGarance pour la livraison express, {le} est déjà adopté{x}", "Passage chez @MaisonGarance {city}, équipe adorable comme toujours", "Ma nouvelle adresse préférée : @MaisonGarance ❤️",
	},
	questions: []string{
		"@MaisonGarance vous rouvrez quand à {city} ?", "Quelqu'un a testé {le} de @MaisonGarance ? Ça vaut le coup ?", "@MaisonGarance les soldes commencent à quelle heure en ligne ?", "@MaisonGarance vous livrez en Belgique ?",
	},
	shipped: []string{"Maison Garance : votre commande {order} est en route, livraison prévue le {due}.", "Bonne nouvelle {given}, votre colis {order} sera livré le {due}. Suivi : mg.example/{order}"},
	ready:   []string{"Maison Garance {shop} : votre commande {order} vous attend. Retrait sous 7 jours, munissez-vous d'une pièce d'identité."},
	stop:    []string{"STOP", "Stop", "STOP SMS", "stop merci"},
	sale:    []string{"{given}, les soldes Maison Garance commencent demain 8 h pour nos clients fidèles. STOP au 36180", "Ventes privées Maison Garance : -30 % sur le linge de lit jusqu'à dimanche. STOP au 36180"},
}
