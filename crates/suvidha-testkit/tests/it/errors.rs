//! Whose fault it was is told apart over the whole way.

use suvidha_client::{Credentials, Gsp, Origin};
use suvidha_testkit::World;

use crate::gsp;

#[tokio::test]
async fn the_gateways_refusal_and_gstns_are_told_apart() {
    let world = World::start().await.unwrap();
    let taxpayer = world.taxpayer().await.unwrap();

    let stranger = Gsp::builder(world.gateway_url())
        .credentials(Credentials::token("no-such-token-at-all"))
        .build()
        .unwrap();
    let refused = stranger.search(&taxpayer.gstin).await.unwrap_err();
    assert_eq!((refused.code(), refused.origin()), (Some("GSP602"), Origin::Gsp));
    assert!(refused.request_id().is_some() && refused.remedy().is_some());

    let login = gsp(&world).taxpayer(taxpayer.gstin, &taxpayer.username).request_otp().await.unwrap();
    let refused = login.verify("000000").await.unwrap_err();
    assert_eq!((refused.code(), refused.origin()), (Some("AUTH4034"), Origin::Gstn));
    assert!(refused.remedy().is_some());
}
