package graphql

import "context"

// The fields of Metrics, one for each metric of the catalogue: a test holds the two together.

// Nps resolves Metrics.nps.
func (m *metrics) Nps(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "nps", args)
}

// Csat resolves Metrics.csat.
func (m *metrics) Csat(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "csat", args)
}

// Ces1 resolves Metrics.ces1.
func (m *metrics) Ces1(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "ces1", args)
}

// Ces2 resolves Metrics.ces2.
func (m *metrics) Ces2(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "ces2", args)
}

// CompanyEffort resolves Metrics.companyEffort.
func (m *metrics) CompanyEffort(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "companyEffort", args)
}

// ReviewRating resolves Metrics.reviewRating.
func (m *metrics) ReviewRating(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "reviewRating", args)
}

// ResponseRate resolves Metrics.responseRate.
func (m *metrics) ResponseRate(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "responseRate", args)
}

// Enps resolves Metrics.enps.
func (m *metrics) Enps(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "enps", args)
}

// FirstReply resolves Metrics.firstReply.
func (m *metrics) FirstReply(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "firstReply", args)
}

// ReplyBands resolves Metrics.replyBands.
func (m *metrics) ReplyBands(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "replyBands", args)
}

// NextReply resolves Metrics.nextReply.
func (m *metrics) NextReply(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "nextReply", args)
}

// SlaFirstReply resolves Metrics.slaFirstReply.
func (m *metrics) SlaFirstReply(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "slaFirstReply", args)
}

// SlaNextReply resolves Metrics.slaNextReply.
func (m *metrics) SlaNextReply(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "slaNextReply", args)
}

// SpeedOfAnswer resolves Metrics.speedOfAnswer.
func (m *metrics) SpeedOfAnswer(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "speedOfAnswer", args)
}

// AnswerRate resolves Metrics.answerRate.
func (m *metrics) AnswerRate(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "answerRate", args)
}

// ServiceLevel resolves Metrics.serviceLevel.
func (m *metrics) ServiceLevel(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "serviceLevel", args)
}

// Abandonment resolves Metrics.abandonment.
func (m *metrics) Abandonment(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "abandonment", args)
}

// HandlingTime resolves Metrics.handlingTime.
func (m *metrics) HandlingTime(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "handlingTime", args)
}

// ForumAnswer resolves Metrics.forumAnswer.
func (m *metrics) ForumAnswer(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "forumAnswer", args)
}

// ForumCoverage resolves Metrics.forumCoverage.
func (m *metrics) ForumCoverage(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "forumCoverage", args)
}

// ForumPeer resolves Metrics.forumPeer.
func (m *metrics) ForumPeer(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "forumPeer", args)
}

// ForumStaff resolves Metrics.forumStaff.
func (m *metrics) ForumStaff(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "forumStaff", args)
}

// ForumAccepted resolves Metrics.forumAccepted.
func (m *metrics) ForumAccepted(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "forumAccepted", args)
}

// Resolution resolves Metrics.resolution.
func (m *metrics) Resolution(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "resolution", args)
}

// FullResolution resolves Metrics.fullResolution.
func (m *metrics) FullResolution(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "fullResolution", args)
}

// RequesterWait resolves Metrics.requesterWait.
func (m *metrics) RequesterWait(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "requesterWait", args)
}

// AgentWait resolves Metrics.agentWait.
func (m *metrics) AgentWait(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "agentWait", args)
}

// SlaResolution resolves Metrics.slaResolution.
func (m *metrics) SlaResolution(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "slaResolution", args)
}

// FcrGross resolves Metrics.fcrGross.
func (m *metrics) FcrGross(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "fcrGross", args)
}

// FcrNet resolves Metrics.fcrNet.
func (m *metrics) FcrNet(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "fcrNet", args)
}

// FcrNoRepeat resolves Metrics.fcrNoRepeat.
func (m *metrics) FcrNoRepeat(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "fcrNoRepeat", args)
}

// FcrFlag resolves Metrics.fcrFlag.
func (m *metrics) FcrFlag(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "fcrFlag", args)
}

// ReopenRate resolves Metrics.reopenRate.
func (m *metrics) ReopenRate(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "reopenRate", args)
}

// RecoveryRate resolves Metrics.recoveryRate.
func (m *metrics) RecoveryRate(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "recoveryRate", args)
}

// ChurnAfterComplaint resolves Metrics.churnAfterComplaint.
func (m *metrics) ChurnAfterComplaint(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "churnAfterComplaint", args)
}

// VerbatimSentiment resolves Metrics.verbatimSentiment.
func (m *metrics) VerbatimSentiment(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "verbatimSentiment", args)
}

// ThemeSentiment resolves Metrics.themeSentiment.
func (m *metrics) ThemeSentiment(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "themeSentiment", args)
}

// CriticalShare resolves Metrics.criticalShare.
func (m *metrics) CriticalShare(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "criticalShare", args)
}

// GestureRate resolves Metrics.gestureRate.
func (m *metrics) GestureRate(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "gestureRate", args)
}

// GestureSpend resolves Metrics.gestureSpend.
func (m *metrics) GestureSpend(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "gestureSpend", args)
}

// ChannelPremium resolves Metrics.channelPremium.
func (m *metrics) ChannelPremium(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "channelPremium", args)
}

// ChurnExcess resolves Metrics.churnExcess.
func (m *metrics) ChurnExcess(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "churnExcess", args)
}

// ValueAtStake resolves Metrics.valueAtStake.
func (m *metrics) ValueAtStake(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "valueAtStake", args)
}

// ComplaintRoi resolves Metrics.complaintRoi.
func (m *metrics) ComplaintRoi(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "complaintRoi", args)
}

// Ror resolves Metrics.ror.
func (m *metrics) Ror(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "ror", args)
}

// LateDeliveries resolves Metrics.lateDeliveries.
func (m *metrics) LateDeliveries(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "lateDeliveries", args)
}

// MentionVolume resolves Metrics.mentionVolume.
func (m *metrics) MentionVolume(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "mentionVolume", args)
}

// MentionSentiment resolves Metrics.mentionSentiment.
func (m *metrics) MentionSentiment(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "mentionSentiment", args)
}

// NetSentiment resolves Metrics.netSentiment.
func (m *metrics) NetSentiment(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "netSentiment", args)
}

// ShareOfVoice resolves Metrics.shareOfVoice.
func (m *metrics) ShareOfVoice(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "shareOfVoice", args)
}

// MentionReach resolves Metrics.mentionReach.
func (m *metrics) MentionReach(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "mentionReach", args)
}

// EngagementByReach resolves Metrics.engagementByReach.
func (m *metrics) EngagementByReach(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "engagementByReach", args)
}

// EngagementByImpressions resolves Metrics.engagementByImpressions.
func (m *metrics) EngagementByImpressions(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "engagementByImpressions", args)
}

// EngagementByFollowers resolves Metrics.engagementByFollowers.
func (m *metrics) EngagementByFollowers(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "engagementByFollowers", args)
}

// Amplification resolves Metrics.amplification.
func (m *metrics) Amplification(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "amplification", args)
}

// Notoriety resolves Metrics.notoriety.
func (m *metrics) Notoriety(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "notoriety", args)
}

// ReviewReplies resolves Metrics.reviewReplies.
func (m *metrics) ReviewReplies(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "reviewReplies", args)
}

// KanoBetter resolves Metrics.kanoBetter.
func (m *metrics) KanoBetter(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "kanoBetter", args)
}

// KanoWorse resolves Metrics.kanoWorse.
func (m *metrics) KanoWorse(ctx context.Context, args measureArgs) (*measure, error) {
	return m.measure(ctx, "kanoWorse", args)
}
