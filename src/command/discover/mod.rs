//! `discover`: the campaigns that the configured credentials can see.

mod show;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::table::clean;
use super::{Done, block_on, complain, files, print, unless_found};
use crate::cli::{Discover, Flags, Output};
use crate::daemon::prober::{Prober, facts_of, listing_of};
use crate::domain::facts::CampaignFacts;
use crate::domain::fault::{Fault, Reason};
use crate::domain::fleet::{Fleet, FleetChannel, WantedCampaigns};
use crate::domain::target::{AccountId, CampaignId, Level, PageId, Source, Subject};
use crate::logging;
use crate::settings::{self, Settings};

/// A Meta ad account or a CAMS channel, and its campaigns.
#[derive(Debug)]
struct AccountListing {
    source: Source,
    credential: Arc<str>,
    account: AccountId,
    /// What a campaign id means, as far as the account is configured.
    level: Level,
    name: String,
    channel: Option<(Arc<str>, PageId)>,
    campaigns: Vec<FoundCampaign>,
}

/// A campaign as the listing shows it.
#[derive(Debug)]
struct FoundCampaign {
    /// The id to configure; `None` for a Meta campaign without any ad.
    id: Option<CampaignId>,
    /// On Meta the campaign above the ad.
    parent: Option<CampaignId>,
    name: String,
    status: String,
    /// Whether the API says that it is one for marketing messages.
    sure: bool,
}

/// What was found, and what could not be read.
#[derive(Debug, Default)]
struct Survey {
    places: Vec<AccountListing>,
    troubles: Vec<String>,
}

/// Lists what there is; tells by its status whether everything could be read.
pub fn discover(arguments: &Discover, flags: &Flags) -> anyhow::Result<Done> {
    let files = files(flags);
    let settings = settings::load_for_discovery(&files, &settings::environment());
    let settings = settings.map_err(|problems| unless_found(&files, problems))?;
    logging::follow(&settings.log);
    let survey = block_on(async {
        let mut prober = Prober::new(&settings)?;
        let mut survey = Survey::default();
        survey.meta(&settings, &mut prober).await;
        survey.cams(&settings, &mut prober).await;
        Ok(survey)
    })?;
    print(&match arguments.output {
        Output::Table => show::as_table(&survey.places),
        Output::Yaml => show::as_yaml(&survey.places),
    })?;
    for trouble in &survey.troubles {
        complain(trouble);
    }
    Ok(if survey.troubles.is_empty() { Done::Well } else { Done::Badly })
}

impl Survey {
    async fn meta(&mut self, settings: &Settings, prober: &mut Prober<'_>) {
        let ours = settings.credentials.iter().filter(|credential| credential.access.source() == Source::META);
        for credential in ours.map(|credential| &credential.name) {
            let configured =
                settings.fleet.accounts.iter().filter(|account| account.terms.credential.name == *credential);
            let mut accounts: BTreeMap<_, _> =
                configured.map(|account| (account.id, (String::new(), account.level))).collect();
            if accounts.is_empty() {
                match prober.accounts(credential).await {
                    Ok(visible) if visible.is_empty() => self.troubles.push(format!(
                        "meta/{credential}: the token sees no ad account: assign one to its user, or to its system user"
                    )),
                    Ok(visible) => {
                        accounts.extend(visible.into_iter().map(|(id, facts)| (id, (facts.name, Level::Ad))));
                    }
                    Err(fault) => self.troubles.push(format!("meta/{credential}: {fault}")),
                }
            }
            for (account, known) in accounts {
                if let Err(fault) = self.account(credential, account, known, prober).await {
                    if fault.reason == Reason::Unauthorized {
                        // The other accounts would be refused in the same words.
                        self.troubles.push(format!("meta/{credential}: {fault}"));
                        break;
                    }
                    self.troubles.push(format!("meta/{credential} account {account}: {fault}"));
                }
            }
        }
    }

    /// The ads of an account, and the campaigns that have none.
    async fn account(
        &mut self,
        credential: &Arc<str>,
        account: AccountId,
        (name, level): (String, Level),
        prober: &mut Prober<'_>,
    ) -> Result<(), Fault> {
        let name = if name.is_empty() {
            prober.ask(facts_of(credential, account)).await?.facts.map_or(name, |facts| facts.name)
        } else {
            name
        };
        let ads = prober.ask(listing_of(credential, account, Level::Ad)).await?;
        let campaign = |id: Option<CampaignId>, parent: Option<CampaignId>, facts: CampaignFacts| FoundCampaign {
            id,
            parent,
            name: clean(&facts.name),
            status: clean(&facts.status),
            sure: facts.marketing,
        };
        let parents = ads.parents;
        let mut campaigns: Vec<_> =
            ads.campaigns.into_iter().map(|(id, facts)| campaign(Some(id), parents.get(&id).copied(), facts)).collect();
        let above = prober.ask(listing_of(credential, account, Level::Campaign)).await;
        let (above, trouble) =
            above.map_or_else(|fault| (BTreeMap::new(), Err(fault)), |page| (page.campaigns, Ok(())));
        let childless = above.into_iter().filter(|(id, _)| !parents.values().any(|parent| parent == id));
        campaigns.extend(childless.map(|(id, facts)| campaign(None, Some(id), facts)));
        let credential = credential.clone();
        self.places.push(AccountListing {
            source: Source::META,
            credential,
            account,
            level,
            name: clean(&name),
            channel: None,
            campaigns,
        });
        trouble
    }

    async fn cams(&mut self, settings: &Settings, prober: &mut Prober<'_>) {
        let ours = settings.credentials.iter().filter(|credential| credential.access.source() == Source::CAMS);
        for credential in ours.map(|credential| &credential.name) {
            let channels =
                settings.fleet.channels.iter().filter(|channel| channel.terms.credential.name == *credential);
            let channels: Vec<_> = channels.collect();
            if channels.is_empty() {
                self.troubles.push(format!(
                    "cams/{credential}: no channel is configured, and CAMS lists none: write cust_space_id, page_id and ad_account_id below channels"
                ));
            }
            for channel in channels {
                if let Err(fault) = self.channel(channel, prober).await {
                    let FleetChannel { space, page, account, .. } = channel;
                    self.troubles.push(format!("cams/{credential} channel {space}, {page}, {account}: {fault}"));
                    if fault.reason == Reason::Unauthorized {
                        break;
                    }
                }
            }
        }
    }

    async fn channel(&mut self, channel: &FleetChannel, prober: &mut Prober<'_>) -> Result<(), Fault> {
        let alone = FleetChannel { wanted: WantedCampaigns::All, ..channel.clone() };
        let fleet = Fleet { channels: vec![alone], ..Fleet::default() };
        let (mut name, mut trouble) = (String::new(), Ok(()));
        let mut campaigns = Vec::new();
        for planned in fleet.targets(|_| Vec::new()) {
            let listing = planned.key.subject == Subject::Listing;
            match prober.ask(planned).await {
                Ok(page) if listing => {
                    campaigns.extend(page.campaigns.into_iter().map(|(id, facts)| FoundCampaign {
                        id: Some(id),
                        parent: None,
                        name: clean(&facts.name),
                        status: clean(&facts.status),
                        sure: true,
                    }));
                }
                Ok(page) => name = page.facts.map(|facts| facts.name).unwrap_or_default(),
                Err(fault) if listing => return Err(fault),
                // The listing does without the account's name.
                Err(fault) => trouble = Err(fault),
            }
        }
        self.places.push(AccountListing {
            source: Source::CAMS,
            credential: channel.terms.credential.name.clone(),
            account: channel.account,
            level: Level::Ad,
            name: clean(&name),
            channel: Some((channel.space.clone(), channel.page)),
            campaigns,
        });
        trouble
    }
}
